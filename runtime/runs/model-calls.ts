import {
  type ModelEvent,
  type ModelRequest,
  type ModelStream,
  NO_USAGE,
  type Usage,
} from "../protocol/model.js";
import type { ResolvedModel } from "../providers/models.js";
import type { Recorder } from "./record.js";
import { openSlots, type Slots } from "./slots.js";

/** What a run may spend; undefined is no ceiling. */
export interface Ceilings {
  readonly max_tokens?: number | undefined;
  readonly max_usd?: number | undefined;
}

/** What has been spent so far, shared by all agents of one run. */
export interface Spending {
  readonly ceilings: Ceilings;
  tokens: number;
  usd: number;
}

/** Model calls of the whole daemon: as many at a time as each provider takes. */
export interface ModelCalls {
  /** A stream that waits for a slot, counts what the call cost the run, and records it. Throws `LetGo` where none may begin. */
  readonly metered: (
    model: ResolvedModel,
    record: Recorder,
    run: { readonly spending: Spending; readonly rest: AbortSignal },
  ) => ModelStream;
}

export function openModelCalls(now: () => number): ModelCalls {
  const slotsOf = new Map<string, Slots>();
  const slots = (model: ResolvedModel): Slots => {
    const existing = slotsOf.get(model.provider);
    if (existing !== undefined) return existing;
    const opened = openSlots(model.slots);
    slotsOf.set(model.provider, opened);
    return opened;
  };
  return {
    metered: (model, record, { spending, rest }) => {
      return async function* metered(
        request: ModelRequest,
        signal: AbortSignal,
      ): AsyncIterable<ModelEvent> {
        const overspent = overspending(spending);
        if (overspent !== undefined) {
          const failure = { kind: "over_budget", message: overspent } as const;
          yield { type: "failed", failure, usage: NO_USAGE };
          return;
        }
        using _slot = await slots(model).take(AbortSignal.any([signal, rest]));
        const startedAt = now();
        for await (const event of model.stream(request, signal)) {
          if (event.type === "reply" || event.type === "failed") {
            spend(spending, event.usage);
            await recordCall(event, model, Math.round(now() - startedAt), record);
          }
          yield event;
        }
      };
    },
  };
}

/** The same stream, each new try of it in the journal: for calls that no agent's loop watches over. */
export function tellingRetries(
  stream: ModelStream,
  model: ResolvedModel,
  record: Recorder,
): ModelStream {
  return async function* telling(request, signal) {
    for await (const event of stream(request, signal)) {
      if (event.type === "retry") {
        const { attempt, wait_ms, failure } = event;
        const reason = `${failure.kind}: ${failure.message}`;
        const called = { provider: model.provider, model: model.model };
        await record({ kind: "model_call_retried", ...called, attempt, wait_ms, reason });
      }
      yield event;
    }
  };
}

/** Why nothing more may be asked; undefined while there is room. */
function overspending({ ceilings, tokens, usd }: Spending): string | undefined {
  if (ceilings.max_tokens !== undefined && tokens >= ceilings.max_tokens)
    return `the run has used ${tokens} of its ${ceilings.max_tokens} tokens`;
  if (ceilings.max_usd !== undefined && usd >= ceilings.max_usd)
    return `the run has cost $${usd.toFixed(4)} of its $${ceilings.max_usd}`;
  return undefined;
}

function spend(spending: Spending, usage: Usage): void {
  spending.tokens += usage.input_tokens + usage.output_tokens;
  spending.usd += usage.usd;
}

async function recordCall(
  event: Extract<ModelEvent, { type: "reply" | "failed" }>,
  model: ResolvedModel,
  latencyMs: number,
  record: Recorder,
): Promise<void> {
  const called = { provider: model.provider, model: model.model };
  const { usage } = event;
  if (event.type === "reply" || usage.input_tokens + usage.output_tokens > 0) {
    await record({ kind: "usage_reported", ...called, ...usage, latency_ms: latencyMs });
  }
  if (event.type === "failed") {
    const { kind, message } = event.failure;
    await record({ kind: "model_call_failed", ...called, failure: kind, message });
  }
}
