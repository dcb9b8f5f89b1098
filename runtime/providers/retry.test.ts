import { describe, expect, it } from "vitest";
import { type ModelEvent, NO_USAGE, type ProviderFailureKind } from "../protocol/model.js";
import type { Attempt, AttemptEvent } from "./attempt.js";
import { withRetry } from "./retry.js";

const REQUEST = { model: "m", messages: [], tools: [], max_output_tokens: 1 };
const REPLY: AttemptEvent = {
  type: "reply",
  message: { role: "assistant", text: "ok", tool_calls: [] },
  end: "end_turn",
  usage: { input_tokens: 5, output_tokens: 1, usd: 1 },
};

function failing(kind: ProviderFailureKind, times: number): Attempt {
  let tries = 0;
  return async function* attempt() {
    await Promise.resolve();
    const usage = { input_tokens: 2, output_tokens: 0, usd: 0.5 };
    if (tries++ < times) yield { type: "failed", failure: { kind, message: kind }, usage };
    else yield REPLY;
  };
}

async function run(
  attempt: Attempt,
  options: {
    random?: number;
    retries?: number;
    sleep?: (ms: number, s: AbortSignal) => Promise<void>;
    signal?: AbortSignal;
  } = {},
): Promise<{ events: ModelEvent[]; waits: number[] }> {
  const waits: number[] = [];
  const stream = withRetry(attempt, {
    max_retries: options.retries ?? 20,
    random: () => options.random ?? 0.999,
    sleep: (ms, signal) => {
      waits.push(ms);
      return options.sleep?.(ms, signal) ?? Promise.resolve();
    },
  });
  const events: ModelEvent[] = [];
  for await (const event of stream(REQUEST, options.signal ?? new AbortController().signal))
    events.push(event);
  return { events, waits };
}

describe("withRetry", () => {
  it("the pause doubles up to half a minute, and is any part of that", async () => {
    const { waits } = await run(failing("overloaded", 8));
    expect(waits).toEqual([999, 1_998, 3_996, 7_992, 15_984, 29_970, 29_970, 29_970]);
    const none = await run(failing("overloaded", 2), { random: 0 });
    expect(none.waits).toEqual([0, 0]);
  });

  it.each(["rate_limited", "overloaded", "network", "timeout", "garbage"] as const)(
    "%s is tried again",
    async (kind) => {
      expect((await run(failing(kind, 1))).events.at(-1)?.type).toBe("reply");
    },
  );

  it.each([
    "auth",
    "bad_request",
    "unsupported",
    "context_length",
    "unknown_model",
    "not_understood",
    "cancelled",
  ] as const)("%s is the same the next time, so it is not tried again", async (kind) => {
    const { events, waits } = await run(failing(kind, 1));
    expect(events).toMatchObject([{ type: "failed", failure: { kind } }]);
    expect(waits).toEqual([]);
  });

  it("what failed tries had used is counted", async () => {
    const { events } = await run(failing("network", 2));
    expect(events.at(-1)).toMatchObject({ usage: { input_tokens: 9, output_tokens: 1, usd: 2 } });
  });

  it("no retry is made where none is allowed", async () => {
    const { events } = await run(failing("network", 1), { retries: 0 });
    expect(events).toMatchObject([{ type: "failed" }]);
  });

  it("cancelling during a pause ends it, though the sleep rejects", async () => {
    const controller = new AbortController();
    const { events } = await run(failing("network", 5), {
      signal: controller.signal,
      sleep: () => {
        controller.abort();
        return Promise.reject(new Error("aborted"));
      },
    });
    expect(events.map((event) => event.type)).toEqual(["retry", "failed"]);
    expect(events.at(-1)).toMatchObject({ failure: { kind: "cancelled" } });
  });

  it("a try without an end counts as garbage", async () => {
    const { events } = await run(
      async function* nothing() {
        await Promise.resolve();
        yield { type: "text", delta: "x" };
      },
      { retries: 0 },
    );
    expect(events.at(-1)).toMatchObject({ failure: { kind: "garbage" }, usage: NO_USAGE });
  });
});
