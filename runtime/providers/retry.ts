import {
  addUsage,
  type FailedTry,
  type ModelEvent,
  type ModelRequest,
  type ModelStream,
  NO_USAGE,
  type ProviderFailure,
  type ProviderFailureKind,
} from "../protocol/model.js";
import type { Attempt, AttemptEvent } from "./attempt.js";

const BASE_MS = 500;
const CEILING_MS = 30_000;
/** A provider that asks for a longer pause than this is asked again after it. */
const RETRY_AFTER_CEILING_MS = 120_000;

/** What a second try may mend. Everything else is the same the next time. */
const RETRYABLE: ReadonlySet<ProviderFailureKind> = new Set<ProviderFailureKind>([
  "rate_limited",
  "overloaded",
  "network",
  "timeout",
  "garbage",
]);

export interface RetryPolicy {
  /** Tries after the first. */
  readonly max_retries: number;
  /** Resolves, or rejects, when `signal` aborts. */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  /** In [0, 1). */
  readonly random: () => number;
}

/**
 * A stream that tries again what may mend: exponential backoff with full jitter, never sooner than the provider's Retry-After.
 * A reply is the end of a stream, so nothing is tried again after one; usage of failed tries is counted.
 */
export function withRetry(attempt: Attempt, policy: RetryPolicy): ModelStream {
  return async function* retried(request, signal) {
    let usage = NO_USAGE;
    for (let tries = 1; ; tries++) {
      const end = yield* passDeltas(attempt(request, signal));
      if (end.type === "reply") {
        yield { ...end, usage: addUsage(usage, end.usage) };
        return;
      }
      const failed = end;
      usage = addUsage(usage, failed.usage);
      if (tries > policy.max_retries || !RETRYABLE.has(failed.failure.kind)) {
        yield { ...failed, failure: afterTries(failed.failure, tries), usage };
        return;
      }
      const waitMs = backoffMs(tries, failed.retry_after_ms, policy.random);
      yield { type: "retry", attempt: tries, wait_ms: waitMs, failure: failed.failure };
      const ended = await betweenTries(request, failed, () => pause(waitMs, policy, signal));
      const stopped = signal.aborted ? cancelled(failed.failure) : ended;
      if (stopped !== undefined) {
        yield { type: "failed", failure: stopped, usage };
        return;
      }
    }
  };
}

/** Hands on the deltas of one try and returns how it ended. */
async function* passDeltas(
  events: AsyncIterable<AttemptEvent>,
): AsyncGenerator<ModelEvent, Extract<AttemptEvent, { type: "reply" | "failed" }>> {
  for await (const event of events) {
    if (event.type === "reply" || event.type === "failed") return event;
    yield event;
  }
  return { type: "failed", failure: NO_END, usage: NO_USAGE };
}

const NO_END: ProviderFailure = { kind: "garbage", message: "the provider's stream had no end" };

/** The pause, and what the caller has to do beside it; a failure of its ends the call. */
async function betweenTries(
  { between_tries }: ModelRequest,
  failed: FailedTry,
  wait: () => Promise<void>,
): Promise<ProviderFailure | undefined> {
  if (between_tries !== undefined) return between_tries(failed, wait);
  await wait();
  return undefined;
}

/** Full jitter: anything between nothing and the doubled ceiling, so that many agents do not come back together. */
function backoffMs(tries: number, retryAfterMs: number | undefined, random: () => number): number {
  const jitter = Math.round(random() * Math.min(CEILING_MS, BASE_MS * 2 ** tries));
  return Math.max(jitter, Math.min(retryAfterMs ?? 0, RETRY_AFTER_CEILING_MS));
}

async function pause(ms: number, policy: RetryPolicy, signal: AbortSignal): Promise<void> {
  try {
    await policy.sleep(ms, signal);
  } catch (thrown) {
    if (!signal.aborted) throw thrown;
  }
}

function afterTries(failure: ProviderFailure, tries: number): ProviderFailure {
  return tries === 1 ? failure : { ...failure, message: `${failure.message} (${tries} tries)` };
}

function cancelled(last: ProviderFailure): ProviderFailure {
  return {
    kind: "cancelled",
    message: `cancelled while waiting to try again after: ${last.message}`,
  };
}
