import { setTimeout as sleep } from "node:timers/promises";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Account } from "./account.js";
import { openBudgets, type Reservation } from "./budgets.js";
import type { CallEstimate } from "./fit-call.js";

const never = new AbortController().signal;
const FREE = { input: 0, output: 0 };

function world(limits: { tokens?: number; usd?: number } = {}, periodMs?: number) {
  const clock = { now: 0 };
  const budgets = openBudgets({ label: "the day", limits, periodMs }, () => clock.now);
  return { clock, budgets };
}

function call(likely: number, most: number, output: number, price = FREE): CallEstimate {
  return { input: { likely, most }, max_output_tokens: output, price };
}

function used(tokens: number, usd = 0) {
  return { input_tokens: tokens, output_tokens: 0, usd };
}

async function reserved(
  { budgets }: ReturnType<typeof world>,
  account: Account,
  wanted: CallEstimate,
): Promise<Reservation> {
  const result = await budgets.reserve(account, wanted, never);
  if (!result.ok) throw new Error(`short of ${result.shortage.unit}`);
  return result.reservation;
}

/** Whether a promise is still open after everything that could settle it has run. */
async function isOpen(promise: Promise<unknown>): Promise<boolean> {
  const marker = Symbol("open");
  return (await Promise.race([promise, sleep(5, marker)])) === marker;
}

describe("a budget", () => {
  it("A24-22 lets in what surely fits, beside others, and counts what it came to", async () => {
    const w = world({ tokens: 10_000 });
    const run = w.budgets.open({ scope: "run", label: "the run", limits: {} }, w.budgets.day);
    const first = await reserved(w, run, call(100, 400, 1_000));
    const second = await reserved(w, run, call(100, 400, 1_000));
    expect(w.budgets.day.reserved.tokens).toBe(2_800);
    first.settle(used(150));
    first.settle(used(9_000));
    second[Symbol.dispose]();
    expect(w.budgets.day.spent.tokens).toBe(150);
    expect(run.spent.tokens).toBe(150);
    expect(w.budgets.day.reserved.tokens).toBe(0);
  });

  it("cuts the last call's output to what is left, and lets nothing in beside it", async () => {
    const w = world();
    const run = w.budgets.open(
      { scope: "run", label: "the run", limits: { tokens: 1_000 } },
      w.budgets.day,
    );
    const tight = await reserved(w, run, call(200, 800, 4_000));
    expect(tight.max_output_tokens).toBe(800);
    const next = w.budgets.reserve(run, call(10, 10, 10), never);
    expect(await isOpen(next)).toBe(true);
    tight.settle(used(900));
    const after = await next;
    expect(after.ok).toBe(true);
  });

  it("a tight run does not hold up another one below the same day", async () => {
    const w = world({ tokens: 1_000_000 });
    const open = (tokens: number) =>
      w.budgets.open({ scope: "run", label: "the run", limits: { tokens } }, w.budgets.day);
    await reserved(w, open(1_000), call(200, 800, 4_000));
    await reserved(w, open(50_000), call(200, 800, 4_000));
    expect(w.budgets.day.reserved.tokens).toBe(800 + 800 + 800 + 4_000);
  });

  it("A24-22 refuses a call before it is made, once nothing under way can leave room", async () => {
    const w = world();
    const run = w.budgets.open(
      { scope: "run", label: "the run", limits: { tokens: 1_000 } },
      w.budgets.day,
    );
    (await reserved(w, run, call(200, 800, 4_000))).settle(used(1_200));
    const result = await w.budgets.reserve(run, call(1, 1, 1), never);
    expect(result).toMatchObject({ ok: false, shortage: { account: run, unit: "tokens" } });
    w.budgets.raise(run, { tokens: 1_000 });
    expect((await w.budgets.reserve(run, call(1, 1, 1), never)).ok).toBe(true);
  });

  it("counts money as it counts tokens", async () => {
    const w = world();
    const run = w.budgets.open(
      { scope: "run", label: "the run", limits: { usd: 0.01 } },
      w.budgets.day,
    );
    const price = { input: 0.000_001, output: 0.000_01 };
    const first = await reserved(w, run, call(1_000, 4_000, 4_000, price));
    expect(first.max_output_tokens).toBe(900);
    first.settle(used(2_000, 0.01));
    const result = await w.budgets.reserve(run, call(1_000, 4_000, 4_000, price), never);
    expect(result).toMatchObject({ ok: false, shortage: { unit: "usd" } });
  });

  it("A22-20 a period's reset happens once, however many accounts and calls meet it", async () => {
    const w = world({ tokens: 1_000 }, 86_400_000);
    w.clock.now = 1_000;
    (await reserved(w, w.budgets.day, call(100, 100, 100))).settle(used(900));
    w.clock.now = 86_400_000;
    (await reserved(w, w.budgets.day, call(100, 100, 100))).settle(used(300));
    (await reserved(w, w.budgets.day, call(100, 100, 100))).settle(used(300));
    w.clock.now += 5_000;
    expect(w.budgets.day.spent.tokens).toBe(600);
    const short = await w.budgets.reserve(w.budgets.day, call(500, 500, 256), never);
    expect(short.ok).toBe(false);
  });

  it("A22-31 a use that is under way while the period ends is counted in the next one", async () => {
    const w = world({ tokens: 1_000 }, 60_000);
    const across = await reserved(w, w.budgets.day, call(100, 100, 400));
    w.clock.now = 60_000;
    const early = await reserved(w, w.budgets.day, call(100, 100, 300));
    expect(w.budgets.day.spent.tokens).toBe(0);
    expect(w.budgets.day.reserved.tokens).toBe(900);
    across.settle(used(480));
    early.settle(used(390));
    expect(w.budgets.day.spent.tokens).toBe(870);
  });

  it("a clock that is set back begins no period again", async () => {
    const w = world({ tokens: 1_000 }, 60_000);
    w.clock.now = 60_000;
    (await reserved(w, w.budgets.day, call(1, 1, 1))).settle(used(700));
    w.clock.now = 59_000;
    (await reserved(w, w.budgets.day, call(1, 1, 1))).settle(used(1));
    expect(w.budgets.day.spent.tokens).toBe(701);
  });

  it("who leaves while it waits holds up nobody", async () => {
    const w = world({ tokens: 1_000 });
    const { day } = w.budgets;
    const tight = await reserved(w, day, call(200, 900, 800));
    const leaving = new AbortController();
    const left = w.budgets.reserve(day, call(900, 900, 900), leaving.signal);
    leaving.abort(new Error("stopped"));
    await expect(left).rejects.toThrow("stopped");
    tight.settle(used(10));
    expect((await w.budgets.reserve(day, call(10, 10, 10), never)).ok).toBe(true);
    await expect(w.budgets.reserve(day, call(1, 1, 1), leaving.signal)).rejects.toThrow("stopped");
  });

  it("nobody passes one who waits for the same account", async () => {
    const w = world({ tokens: 2_000 });
    const { day } = w.budgets;
    const order: string[] = [];
    const first = await reserved(w, day, call(500, 500, 1_000));
    const large = reserved(w, day, call(500, 500, 1_000)).then((r) => {
      order.push("large");
      return r;
    });
    const small = reserved(w, day, call(10, 10, 10)).then(() => order.push("small"));
    expect(await isOpen(small)).toBe(true);
    first.settle(used(100));
    await large;
    await small;
    expect(order).toEqual(["large", "small"]);
  });
});

interface RandomCall {
  readonly bytes: number;
  /** How far the guess is from what the call comes to: the bytes are never exceeded. */
  readonly tokensPerByte: number;
  readonly output: number;
  /** Servers exist that do not heed the limit they are given. */
  readonly heeds: boolean;
  readonly slow: number;
}

async function makeCalls(
  w: ReturnType<typeof world>,
  run: Account,
  calls: readonly RandomCall[],
  seen: { largest: number; refused: number },
): Promise<void> {
  for (const { bytes, tokensPerByte, output, heeds, slow } of calls) {
    const result = await w.budgets.reserve(run, call(Math.ceil(bytes / 4), bytes, output), never);
    if (!result.ok) {
      seen.refused++;
      return;
    }
    for (let i = 0; i < slow; i++) await Promise.resolve();
    const { reservation } = result;
    const answered = heeds ? Math.min(output, reservation.max_output_tokens) : output;
    const cost = Math.ceil(bytes * tokensPerByte) + answered;
    seen.largest = Math.max(seen.largest, cost);
    reservation.settle(used(cost));
  }
}

describe("parallel agents", () => {
  it("A24-22 never exceed a budget by more than one call's worth, in 100 randomised runs", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          limit: fc.integer({ min: 500, max: 20_000 }),
          dayLimit: fc.option(fc.integer({ min: 500, max: 20_000 }), { nil: undefined }),
          agents: fc.array(
            fc.array(
              fc.record({
                bytes: fc.integer({ min: 50, max: 4_000 }),
                tokensPerByte: fc.double({ min: 0.05, max: 1, noNaN: true }),
                output: fc.integer({ min: 1, max: 2_000 }),
                heeds: fc.boolean(),
                slow: fc.integer({ min: 0, max: 3 }),
              }),
              { minLength: 1, maxLength: 6 },
            ),
            { minLength: 2, maxLength: 8 },
          ),
        }),
        async ({ limit, dayLimit, agents }) => {
          const w = world(dayLimit === undefined ? {} : { tokens: dayLimit });
          const run = w.budgets.open(
            { scope: "run", label: "the run", limits: { tokens: limit } },
            w.budgets.day,
          );
          const seen = { largest: 0, refused: 0 };
          const work = agents.map((calls) => makeCalls(w, run, calls, seen));
          await Promise.all(work);
          expect(run.spent.tokens - limit).toBeLessThanOrEqual(seen.largest);
          if (dayLimit !== undefined)
            expect(w.budgets.day.spent.tokens - dayLimit).toBeLessThanOrEqual(seen.largest);
          expect(run.reserved.tokens).toBe(0);
          expect(run.underWay).toBe(0);
          const left = Math.min(limit, dayLimit ?? limit) - run.spent.tokens;
          // Nobody was sent away while a usual call would have fitted.
          if (seen.refused > 0) expect(left).toBeLessThan(1_000 + 256);
        },
      ),
      { numRuns: 100 },
    );
  });
});
