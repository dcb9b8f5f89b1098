import type { AssistantMessage, ToolCallRequest } from "../protocol/message.js";
import type { ModelEvent, ModelRequest, ReplyEnd, Usage } from "../protocol/model.js";
import { parseModelJson } from "./parse-model-json.js";
import type { ToolNames } from "./tool-names.js";

/** A tool call as it was collected from a stream: the name of the wire, and the arguments as text. */
export interface CollectedCall {
  readonly id: string;
  readonly name: string;
  readonly arguments: string;
}

/** A whole reply as it was collected, in no API's terms. */
export interface CollectedReply {
  readonly text: string;
  readonly reasoning?: string;
  readonly opaque?: AssistantMessage["opaque"];
  readonly calls: readonly CollectedCall[];
  /** How the API said it ended, where that says more than the content does. */
  readonly cut: "max_tokens" | "refused" | undefined;
}

type Reply = Extract<ModelEvent, { type: "reply" }>;

/**
 * The `reply` event of what was collected. A reply asked for by a forced tool call comes back as text, the JSON of its
 * arguments. Arguments that are no JSON make a `malformed` call; an id that is missing or was used before is replaced.
 */
export function replyEvent(
  collected: CollectedReply,
  request: ModelRequest,
  names: ToolNames,
  usage: Usage,
): Reply {
  const { structured } = request;
  const forced =
    structured?.by === "tool"
      ? collected.calls.find((call) => call.name === structured.name)
      : undefined;
  const text = forced === undefined ? collected.text : forced.arguments;
  const calls = forced === undefined ? toolCalls(collected.calls, request, names) : [];
  const message: AssistantMessage = {
    role: "assistant",
    text,
    ...(collected.reasoning === undefined ? {} : { reasoning: collected.reasoning }),
    ...(collected.opaque === undefined || forced !== undefined ? {} : { opaque: collected.opaque }),
    tool_calls: calls,
  };
  return { type: "reply", message, end: endOf(collected, text, calls.length), usage };
}

function endOf(collected: CollectedReply, text: string, calls: number): ReplyEnd {
  if (collected.cut !== undefined) return collected.cut;
  if (calls > 0) return "tool_use";
  return text.trim() === "" ? "blank" : "end_turn";
}

function toolCalls(
  calls: readonly CollectedCall[],
  request: ModelRequest,
  names: ToolNames,
): ToolCallRequest[] {
  const used = new Set<string>();
  for (const message of request.messages)
    if (message.role === "assistant") for (const call of message.tool_calls) used.add(call.id);
  return calls.map((call) => {
    const id = freshId(call.id, used);
    used.add(id);
    const name = names.fromWire(call.name === "" ? "unnamed" : call.name);
    // A call without parameters often comes with no arguments at all.
    if (call.arguments.trim() === "") return { id, name, input: {} };
    const input = parseModelJson(call.arguments);
    return input === undefined
      ? { id, name, input: null, malformed: call.arguments }
      : { id, name, input };
  });
}

function freshId(id: string, used: ReadonlySet<string>): string {
  if (id !== "" && !used.has(id)) return id;
  let n = used.size;
  while (used.has(`call_${n}`)) n++;
  return `call_${n}`;
}
