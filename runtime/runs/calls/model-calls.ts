import type { ModelLatency, ProviderQueue } from "../../protocol/budget.js";
import {
  addUsage,
  type FailedTry,
  type ModelEvent,
  type ModelRequest,
  type ModelStream,
  NO_USAGE,
  type ProviderFailure,
  type Usage,
} from "../../protocol/model.js";
import type { ResolvedModel } from "../../providers/models.js";
import type { Account } from "../budgets/account.js";
import type { Budgets, Reservation } from "../budgets/budgets.js";
import type { Shortage } from "../budgets/fit-call.js";
import { shortageText } from "../budgets/shortage-text.js";
import type { Recorder } from "../record.js";
import { type CallQueue, openCallQueue } from "./call-queue.js";
import { type Latencies, openLatencies } from "./latencies.js";
import { openTokenScale, type TokenScale } from "./token-scale.js";

/** What a price is given for. */
const TOKENS_A_PRICE = 1_000_000;

/** On whose account a model is called, and when it is its turn. */
export interface Caller {
  readonly record: Recorder;
  readonly account: Account;
  /** Whose turn a call takes: the run, or an agent that belongs to none. */
  readonly flow: string;
  /** Aborts with `LetGo` when no call may begin any more. */
  readonly rest?: AbortSignal;
  /** By when a call that is made now should have begun, ms since the epoch. */
  readonly deadline: () => number;
  /** The most that one call may be given, in tokens; undefined is no limit. */
  readonly max_input_tokens?: number | undefined;
  /** Asked when an account has no room for the next call: true where it has more now. */
  readonly onShortage?: (shortage: Shortage, signal: AbortSignal) => Promise<boolean>;
}

/**
 * All model calls of the daemon: each is reserved in a budget, waits its turn at its provider, is settled and recorded. A stream
 * throws the reason with which its signal or the caller's `rest` aborts while it waits.
 */
export interface ModelCalls {
  readonly metered: (model: ResolvedModel, caller: Caller) => ModelStream;
  readonly latencies: () => readonly ModelLatency[];
  readonly queues: () => readonly ProviderQueue[];
  /** What earlier calls took, as the journal has it. */
  readonly recall: (provider: string, model: string, latencyMs: number) => void;
}

interface Parts {
  readonly budgets: Budgets;
  readonly now: () => number;
  readonly scale: TokenScale;
  readonly latencies: Latencies;
  readonly queueOf: (model: ResolvedModel) => CallQueue;
}

export function openModelCalls(budgets: Budgets, now: () => number): ModelCalls {
  const queues = new Map<string, CallQueue>();
  const queueOf = (model: ResolvedModel): CallQueue => {
    const queue = queues.get(model.provider) ?? openCallQueue(model.slots, now);
    queues.set(model.provider, queue);
    return queue;
  };
  const latencies = openLatencies();
  const parts: Parts = { budgets, now, scale: openTokenScale(), latencies, queueOf };
  return {
    metered: (model, caller) => (request, signal) =>
      meteredCall(parts, model, caller, request, signal),
    latencies: latencies.figures,
    recall: latencies.add,
    queues: () =>
      [...queues].map(([provider, queue]) => {
        const { held_until, ...state } = queue.state();
        const until = held_until === null ? null : new Date(held_until).toISOString();
        return { provider, ...state, held_until: until };
      }),
  };
}

/** What one call holds while it is under way. */
interface Held {
  reservation: Reservation;
  slot: Disposable;
  /** Of tries that failed, spent already. */
  settled: Usage;
  startedAt: number;
}

async function* meteredCall(
  parts: Parts,
  model: ResolvedModel,
  caller: Caller,
  request: ModelRequest,
  signal: AbortSignal,
): AsyncGenerator<ModelEvent> {
  const { rest = signal } = caller;
  const waits = AbortSignal.any([signal, rest]);
  const enter = () => enterCall(parts, model, caller, request, waits);
  const entered = await enter();
  if ("kind" in entered) {
    yield { type: "failed", failure: entered, usage: NO_USAGE };
    return;
  }
  const held: Held = { ...entered, settled: NO_USAGE, startedAt: parts.now() };
  const between = async (failed: FailedTry, pause: () => Promise<void>) => {
    leaveCall(held, failed.usage);
    holdBack(parts, model, failed);
    await pause();
    if (signal.aborted) return undefined;
    const again = await enter();
    if ("kind" in again) return again;
    Object.assign(held, again, { startedAt: parts.now() });
    return undefined;
  };
  const { max_output_tokens } = held.reservation;
  try {
    const stream = model.stream({ ...request, max_output_tokens, between_tries: between }, signal);
    for await (const event of stream) {
      if (event.type === "reply" || event.type === "failed") {
        const unsettled = subtract(event.usage, held.settled);
        leaveCall(held, unsettled);
        if (event.type === "failed") holdBack(parts, model, event);
        else parts.scale.learn(model.model, request, unsettled.input_tokens);
        await recordCall(parts, model, caller.record, event, held.startedAt);
      }
      yield event;
    }
  } finally {
    leaveCall(held, NO_USAGE);
  }
}

/** Room in the budget first, then a turn: whoever waits for room holds no slot, so that those who have both always go on. */
async function enterCall(
  parts: Parts,
  model: ResolvedModel,
  caller: Caller,
  request: ModelRequest,
  signal: AbortSignal,
): Promise<Pick<Held, "reservation" | "slot"> | ProviderFailure> {
  const turn = { flow: caller.flow, deadline: caller.deadline() };
  const reservation = await reserve(parts, model, caller, request, signal);
  if ("kind" in reservation) return reservation;
  try {
    return { reservation, slot: await parts.queueOf(model).take(turn, signal) };
  } catch (thrown) {
    reservation[Symbol.dispose]();
    throw thrown;
  }
}

async function reserve(
  { budgets, scale }: Parts,
  model: ResolvedModel,
  caller: Caller,
  request: ModelRequest,
  signal: AbortSignal,
): Promise<Reservation | ProviderFailure> {
  const { max_output_tokens } = request;
  if (model.price === null) return freeOfCharge(max_output_tokens);
  const input = scale.estimate(model.model, request);
  const { account, max_input_tokens: most = Number.POSITIVE_INFINITY } = caller;
  if (input.likely > most)
    return overBudget(
      `the next call has about ${input.likely} tokens of input; the role allows ${most} a call`,
    );
  const price = {
    input: model.price.input / TOKENS_A_PRICE,
    output: model.price.output / TOKENS_A_PRICE,
  };
  for (;;) {
    const reserved = await budgets.reserve(account, { input, max_output_tokens, price }, signal);
    if (reserved.ok) return reserved.reservation;
    const { shortage } = reserved;
    if ((await caller.onShortage?.(shortage, signal)) !== true)
      return overBudget(shortageText(shortage));
  }
}

function freeOfCharge(max_output_tokens: number): Reservation {
  return { max_output_tokens, settle: () => undefined, [Symbol.dispose]: () => undefined };
}

function overBudget(message: string): ProviderFailure {
  return { kind: "over_budget", message };
}

/** Gives back what a call or a try of it held, with what it has come to. Once only. */
function leaveCall(held: Held, usage: Usage): void {
  held.reservation.settle(usage);
  held.slot[Symbol.dispose]();
  held.settled = addUsage(held.settled, usage);
}

/** A provider that says how long it wants to be left alone is left alone by everybody. */
function holdBack(
  { now, queueOf }: Parts,
  model: ResolvedModel,
  { failure, retry_after_ms = 0 }: Pick<FailedTry, "failure" | "retry_after_ms">,
): void {
  const isAsked = failure.kind === "rate_limited" || failure.kind === "overloaded";
  if (isAsked && retry_after_ms > 0) queueOf(model).holdUntil(now() + retry_after_ms);
}

function subtract(whole: Usage, part: Usage): Usage {
  return {
    input_tokens: Math.max(0, whole.input_tokens - part.input_tokens),
    output_tokens: Math.max(0, whole.output_tokens - part.output_tokens),
    usd: Math.max(0, whole.usd - part.usd),
  };
}

async function recordCall(
  { now, latencies }: Parts,
  model: ResolvedModel,
  record: Recorder,
  event: Extract<ModelEvent, { type: "reply" | "failed" }>,
  startedAt: number,
): Promise<void> {
  const called = { provider: model.provider, model: model.model };
  const latency_ms = Math.round(now() - startedAt);
  const { usage } = event;
  if (event.type === "reply") latencies.add(model.provider, model.model, latency_ms);
  if (event.type === "reply" || usage.input_tokens + usage.output_tokens > 0)
    await record({ kind: "usage_reported", ...called, ...usage, latency_ms });
  if (event.type === "failed") {
    const { kind, message } = event.failure;
    await record({ kind: "model_call_failed", ...called, failure: kind, message });
  }
}
