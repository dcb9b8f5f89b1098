import type { ModelStream } from "../../protocol/model.js";
import type { ResolvedModel } from "../../providers/models.js";
import type { Recorder } from "../record.js";

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
