import { assertNever } from "../base/assert-never.js";
import type { ToolCallRequest } from "../protocol/message.js";
import {
  type ModelEvent,
  type ModelRequest,
  type ModelStream,
  NO_USAGE,
} from "../protocol/model.js";
import { parseGoal } from "./builtin/goal.js";
import { planGoal } from "./builtin/plan.js";
import { playStep } from "./builtin/step.js";

const UNDERSTANDS =
  'The builtin provider has no language model. It understands goals that name their sources and output, such as "Fetch URL and URL, ' +
  'compare them, write /output/compare.md", with fetch, read, summarise, compare, analyse, extract, list, outline and write or save ' +
  "to PATH. For other goals set up a model with `agentd configure`.";

/** The provider without a network, a key or a model: it works from `request.task` and the tool results alone, by rules. */
export function builtinStream(): ModelStream {
  return async function* builtin(request, signal) {
    await Promise.resolve();
    if (signal.aborted) {
      yield failed("cancelled", "builtin: the call was cancelled");
      return;
    }
    yield* answer(request);
  };
}

function* answer(request: ModelRequest): Generator<ModelEvent> {
  const { task } = request;
  if (task === undefined) {
    yield notUnderstood("it cannot hold a conversation");
    return;
  }
  switch (task.kind) {
    case "classify":
      yield* text(parseGoal(task.goal).ok ? "decompose" : "direct");
      return;
    case "plan": {
      const parsed = parseGoal(task.goal);
      const planned = parsed.ok
        ? planGoal(parsed.goal, task.goal, task.roles, task.failure)
        : parsed;
      if (planned.ok) yield* text(JSON.stringify(planned.plan, null, 2));
      else yield notUnderstood(planned.why);
      return;
    }
    case "step": {
      const reply = playStep(task, request);
      if (reply.kind === "not_understood") yield notUnderstood(reply.why);
      else if (reply.kind === "text") yield* text(reply.text);
      else yield calls(reply.calls);
      return;
    }
    default:
      assertNever(task);
  }
}

function* text(reply: string): Generator<ModelEvent> {
  yield { type: "text", delta: reply };
  const message = { role: "assistant", text: reply, tool_calls: [] } as const;
  yield {
    type: "reply",
    message: { ...message, tool_calls: [] },
    end: "end_turn",
    usage: NO_USAGE,
  };
}

function calls(toolCalls: readonly ToolCallRequest[]): ModelEvent {
  const message = { role: "assistant" as const, text: "", tool_calls: [...toolCalls] };
  return { type: "reply", message, end: "tool_use", usage: NO_USAGE };
}

function notUnderstood(why: string): ModelEvent {
  return failed("not_understood", `The goal was not understood: ${why}. ${UNDERSTANDS}`);
}

function failed(kind: "not_understood" | "cancelled", message: string): ModelEvent {
  return { type: "failed", failure: { kind, message }, usage: NO_USAGE };
}
