import type { Json } from "../../protocol/json.js";
import type { AssistantMessage } from "../../protocol/message.js";
import { type ModelEvent, type ModelStream, NO_USAGE } from "../../protocol/model.js";
import { CALLS, insideCall, type Targets } from "./denials.js";

/** What the agent was answered, by the call's id. */
export type Answers = ReadonlyMap<string, Json>;

export const INSIDE_ID = "inside";

/**
 * Stands where a model stands, and asks for everything that must be refused; then it ends. `prepare` gives the targets, once the
 * run's workspace is there; `answered` gets what came back.
 */
export function attemptingModel(
  prepare: (workspace: string) => Targets,
  answered: (answers: Answers) => void,
): ModelStream {
  return async function* attempt(request): AsyncGenerator<ModelEvent> {
    await Promise.resolve();
    const results = request.messages.flatMap((message) =>
      message.role === "tool" ? [[message.call_id, parsed(message.text)] as const] : [],
    );
    if (results.length > 0) {
      answered(new Map(results));
      yield reply({ role: "assistant", text: "All attempts were made.", tool_calls: [] });
      return;
    }
    const workspace = request.task?.kind === "step" ? request.task.params["workspace"] : undefined;
    const targets = prepare(String(workspace));
    const calls = CALLS.map(({ tool, input }, index) => ({
      id: String(index),
      name: tool,
      input: input(targets),
    }));
    const inside = { id: INSIDE_ID, name: "exec", input: insideCall(targets) };
    yield reply({ role: "assistant", text: "", tool_calls: [...calls, inside] });
  };
}

function reply(message: AssistantMessage): ModelEvent {
  const end = message.tool_calls.length > 0 ? "tool_use" : "end_turn";
  return { type: "reply", message, end, usage: NO_USAGE };
}

function parsed(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return text;
  }
}
