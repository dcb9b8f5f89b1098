import { setTimeout as sleep } from "node:timers/promises";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { EventBody } from "../../protocol/event.js";
import type { ModelEvent, ModelStream, Usage } from "../../protocol/model.js";
import type { Attempt, AttemptEvent } from "../../providers/attempt.js";
import type { ResolvedModel } from "../../providers/models.js";
import { withRetry } from "../../providers/retry.js";
import { openBudgets } from "../budgets/budgets.js";
import { openRunAccounts } from "../budgets/run-accounts.js";
import type { Recorder } from "../record.js";
import { type Caller, openModelCalls } from "./model-calls.js";

const never = new AbortController().signal;

function world(limits: { max_tokens?: number; max_usd?: number } = {}) {
  const budgets = openBudgets({ label: "the day", limits: {} }, Date.now);
  const accounts = openRunAccounts(budgets, limits, undefined);
  const calls = openModelCalls(budgets, Date.now);
  const recorded: EventBody[] = [];
  const record: Recorder = Object.assign(
    (...bodies: readonly EventBody[]) => {
      recorded.push(...bodies);
      return Promise.resolve([]);
    },
    { under: () => record },
  );
  const caller: Caller = { record, account: accounts.run, flow: "run", deadline: () => 0 };
  return { accounts, calls, recorded, caller };
}

function model(stream: ModelStream, slots = 8): ResolvedModel {
  return {
    provider: "p",
    model: "m",
    context_tokens: 100_000,
    max_output_tokens: 4_000,
    structured: ["text"],
    slots,
    price: { input: 1, output: 2 },
    stream,
  };
}

function usage(input: number, output: number): Usage {
  return { input_tokens: input, output_tokens: output, usd: 0 };
}

function reply(spent: Usage): Extract<ModelEvent, { type: "reply" }> {
  const message = { role: "assistant", text: "done", tool_calls: [] } as const;
  return { type: "reply", message: { ...message, tool_calls: [] }, end: "end_turn", usage: spent };
}

function request(text: string, max_output_tokens: number) {
  return { model: "m", messages: [{ role: "user", text } as const], tools: [], max_output_tokens };
}

async function last(events: AsyncIterable<ModelEvent>): Promise<ModelEvent | undefined> {
  let newest: ModelEvent | undefined;
  for await (const event of events) newest = event;
  return newest;
}

/** A stream whose tries go as the script says, with real pauses. */
function tries(script: readonly AttemptEvent[], begun: (at: number) => void): ModelStream {
  let next = 0;
  const attempt: Attempt = async function* attempt() {
    begun(Date.now());
    const event = script[Math.min(next++, script.length - 1)];
    await sleep(1);
    if (event !== undefined) yield event;
  };
  return withRetry(attempt, {
    max_retries: 2,
    sleep: (ms, signal) => sleep(ms, undefined, { signal }),
    random: () => 0,
  });
}

describe("a metered call", () => {
  it("A10 a provider's Retry-After holds back every call to it, not only the one that was told", async () => {
    const begun: number[] = [];
    const limited: AttemptEvent = {
      type: "failed",
      failure: { kind: "rate_limited", message: "slow down" },
      usage: usage(0, 0),
      retry_after_ms: 600,
    };
    const { calls, caller } = world();
    const one = model(tries([limited, reply(usage(1, 1))], (at) => begun.push(at)));
    const first = last(calls.metered(one, caller)(request("a", 10), never));
    await sleep(30);
    const told = Date.now();
    expect(Date.parse(calls.queues()[0]?.held_until ?? "")).toBeGreaterThan(told);
    const second = last(calls.metered(one, { ...caller, flow: "other" })(request("b", 10), never));
    expect(await first).toMatchObject({ type: "reply" });
    expect(await second).toMatchObject({ type: "reply" });
    expect(begun).toHaveLength(3);
    for (const at of begun.slice(1)) expect(at - (begun[0] ?? 0)).toBeGreaterThanOrEqual(599);
  });

  it("A10 a call that waits to be tried again leaves its slot to others", async () => {
    const begun: number[] = [];
    const torn: AttemptEvent = {
      type: "failed",
      failure: { kind: "network", message: "torn" },
      usage: usage(30, 5),
      retry_after_ms: 100,
    };
    const { calls, caller, accounts, recorded } = world({ max_tokens: 10_000 });
    const slow = model(
      tries([torn, reply(usage(40, 6))], (at) => begun.push(at)),
      1,
    );
    const quick = { ...slow, stream: model(tries([reply(usage(1, 1))], () => undefined)).stream };
    const order: string[] = [];
    const first = last(calls.metered(slow, caller)(request("a", 10), never)).then((event) => {
      order.push("slow");
      return event;
    });
    await sleep(20);
    expect(accounts.run.spent.tokens).toBe(35);
    await last(calls.metered(quick, caller)(request("b", 10), never));
    order.push("quick");
    expect(await first).toMatchObject({ usage: { input_tokens: 70, output_tokens: 11 } });
    expect(order).toEqual(["quick", "slow"]);
    expect(accounts.run.spent.tokens).toBe(35 + 46 + 2);
    expect(accounts.run.reserved.tokens).toBe(0);
    const reported = recorded.flatMap((event) =>
      event.kind === "usage_reported" ? [event.input_tokens + event.output_tokens] : [],
    );
    expect(reported).toEqual([2, 81]);
  });

  it("U9 a role's limit on the reply reaches the call, cut to what its run has left", async () => {
    const asked: number[] = [];
    const { calls, caller } = world({ max_tokens: 700 });
    const one = model(async function* stream({ max_output_tokens }) {
      asked.push(max_output_tokens);
      await Promise.resolve();
      yield reply(usage(20, 180));
    });
    const ask = (output: number) => last(calls.metered(one, caller)(request("a", output), never));
    await ask(200);
    await ask(4_000);
    expect(asked[0]).toBe(200);
    expect(asked[1]).toBeLessThan(500);
    expect(asked[1]).toBeGreaterThanOrEqual(256);
    await ask(4_000);
    expect(await ask(4_000)).toMatchObject({
      type: "failed",
      failure: {
        kind: "over_budget",
        message: expect.stringMatching(/^the run has used \d+ of its 700 tokens/) as string,
      },
    });
  });

  it("a call whose input is over the role's limit is not made", async () => {
    const { calls, caller } = world();
    let made = 0;
    const one = model(async function* stream() {
      made++;
      await Promise.resolve();
      yield reply(usage(1, 1));
    });
    const tooLong = request("x".repeat(4_000), 10);
    const asked = calls.metered(one, { ...caller, max_input_tokens: 500 })(tooLong, never);
    expect(await last(asked)).toMatchObject({ failure: { kind: "over_budget" } });
    expect(made).toBe(0);
  });

  it("a model that costs nothing can always be asked", async () => {
    const { calls, caller } = world({ max_tokens: 1 });
    const free = { ...model(tries([reply(usage(0, 0))], () => undefined)), price: null };
    expect(await last(calls.metered(free, caller)(request("a", 10), never))).toMatchObject({
      type: "reply",
    });
  });

  it("A24-22 agents side by side never exceed their run by more than one call's worth, in 100 randomised runs", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1_000, max: 30_000 }),
        fc.integer({ min: 1, max: 9 }),
        fc.array(
          fc.record({
            chars: fc.integer({ min: 1, max: 3_000 }),
            share: fc.double({ min: 0.1, max: 1, noNaN: true }),
            output: fc.integer({ min: 1, max: 3_000 }),
          }),
          { minLength: 1, maxLength: 12 },
        ),
        async (max_tokens, agents, turns) => {
          const { calls, caller, accounts } = world({ max_tokens });
          let largest = 0;
          let next = 0;
          const one = model(async function* stream({ max_output_tokens }) {
            const { chars = 0, share = 1 } = turns[next++ % turns.length] ?? {};
            for (let ticks = next % 4; ticks > 0; ticks--) await Promise.resolve();
            const spent = usage(Math.ceil(chars * share), max_output_tokens);
            largest = Math.max(largest, spent.input_tokens + spent.output_tokens);
            yield reply(spent);
          }, 4);
          const agent = async (number: number): Promise<void> => {
            for (let turn = 0; turn < 8; turn++) {
              const { chars = 0, output = 1 } = turns[(number + turn) % turns.length] ?? {};
              const asked = request("x".repeat(chars), output);
              const end = await last(calls.metered(one, caller)(asked, never));
              if (end?.type === "failed") return;
            }
          };
          await Promise.all(Array.from({ length: agents }, (_, number) => agent(number)));
          expect(accounts.run.spent.tokens - max_tokens).toBeLessThanOrEqual(largest);
          expect(accounts.run.underWay).toBe(0);
        },
      ),
      { numRuns: 100 },
    );
  });
});
