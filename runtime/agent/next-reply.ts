import { addUsage, type ModelEvent, NO_USAGE } from "../protocol/model.js";
import type { AgentInput, Reply } from "./agent-input.js";
import type { AgentProgress } from "./agent-progress.js";
import { learnTokenSize, shownTo } from "./fit-context.js";
import { withUniqueCallIds } from "./transcript.js";

type Failed = Extract<ModelEvent, { type: "failed" }>;

/** One call of the model: its reply, or why there is none; its usage is counted. Retries are told as they happen; deltas are the caller's affair. */
export async function nextReply(
  input: AgentInput,
  progress: AgentProgress,
  signal: AbortSignal,
): Promise<Reply | Failed> {
  const { model, provider, tools, task } = input;
  const request = {
    model,
    messages: [...shownTo(progress)],
    tools,
    max_output_tokens: input.limits.max_output_tokens,
    ...(task && { task }),
  };
  for await (const event of input.stream(request, signal)) {
    if (event.type === "failed" || event.type === "reply") {
      progress.usage = addUsage(progress.usage, event.usage);
    }
    if (event.type === "failed") return event;
    if (event.type === "reply") {
      learnTokenSize(input, progress, event.usage.input_tokens);
      return { ...event, message: withUniqueCallIds(event.message) };
    }
    if (event.type === "retry") {
      const { attempt, wait_ms, failure } = event;
      const reason = `${failure.kind}: ${failure.message}`;
      await input.emit({ kind: "model_call_retried", provider, model, attempt, wait_ms, reason });
    }
  }
  const message = "the provider's stream ended without a reply";
  return { type: "failed", failure: { kind: "garbage", message }, usage: NO_USAGE };
}
