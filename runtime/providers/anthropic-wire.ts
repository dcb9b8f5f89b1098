import type Anthropic from "@anthropic-ai/sdk";
import type { AssistantMessage, Message } from "../protocol/message.js";
import type { ModelRequest } from "../protocol/model.js";
import type { ToolNames } from "./tool-names.js";

type Body = Anthropic.MessageCreateParamsStreaming;
type Block = Anthropic.ContentBlockParam;

/**
 * A request as the body of POST /v1/messages: the system text apart, tool results and user text that follow one another in one
 * user message with the results first, and thinking blocks back as they came.
 */
export function anthropicBody(request: ModelRequest, names: ToolNames, thinkingOff: boolean): Body {
  const system = request.messages
    .filter((message) => message.role === "system")
    .map((message) => message.text)
    .filter((text) => text.trim() !== "")
    .join("\n\n");
  const tools = request.tools.map((tool) =>
    wireTool(names.toWire(tool.name), tool.description, tool.input_schema),
  );
  return {
    model: request.model,
    max_tokens: request.max_output_tokens,
    stream: true,
    messages: turns(request.messages, names),
    ...(system === "" ? {} : { system }),
    ...(tools.length === 0 ? {} : { tools }),
    ...structuredParams(request),
    ...(thinkingOff ? { thinking: { type: "disabled" } } : {}),
  };
}

function structuredParams(request: ModelRequest): Partial<Body> {
  const structured = request.structured;
  if (structured === undefined) return {};
  const { by, name, schema } = structured;
  if (by === "json_schema") return { output_config: { format: { type: "json_schema", schema } } };
  if (by !== "tool") return {};
  return {
    tools: [wireTool(name, "Give the answer.", schema)],
    tool_choice: { type: "tool", name },
  };
}

function wireTool(
  name: string,
  description: string,
  schema: Record<string, unknown>,
): Anthropic.Tool {
  return { name, description, input_schema: { ...schema, type: "object" } };
}

function turns(messages: readonly Message[], names: ToolNames): Anthropic.MessageParam[] {
  const out: { role: "user" | "assistant"; content: Block[] }[] = [];
  for (const message of messages) {
    const content = blocksOf(message, names);
    if (content.length === 0) continue;
    const role = message.role === "assistant" ? "assistant" : "user";
    const last = out.at(-1);
    if (last?.role === role) last.content.push(...content);
    else out.push({ role, content });
  }
  for (const turn of out) if (turn.role === "user") turn.content.sort(resultsFirst);
  if (out[0]?.role !== "user") out.unshift({ role: "user", content: [text("Begin.")] });
  return out;
}

/** The API refuses empty texts and, after a call, anything before its result. */
function blocksOf(message: Message, names: ToolNames): Block[] {
  switch (message.role) {
    case "system":
      return [];
    case "user":
      return message.text.trim() === "" ? [] : [text(message.text)];
    case "tool":
      return [
        {
          type: "tool_result",
          tool_use_id: wireId(message.call_id),
          content: message.text === "" ? "(nothing)" : message.text,
          ...(message.is_error ? { is_error: true } : {}),
        },
      ];
    case "assistant":
      return assistantBlocks(message, names);
  }
}

function assistantBlocks(message: AssistantMessage, names: ToolNames): Block[] {
  // Signed thinking holds only in the turn it was given with, so such a turn goes back block by block as it came.
  if (message.opaque !== undefined && message.opaque.length > 0)
    return [...message.opaque] as unknown as Block[];
  const calls = message.tool_calls.map((call): Block => {
    const isObject = typeof call.input === "object" && call.input !== null;
    return {
      type: "tool_use",
      id: wireId(call.id),
      name: names.toWire(call.name),
      input: isObject && !Array.isArray(call.input) ? call.input : {},
    };
  });
  return message.text.trim() === "" ? calls : [text(message.text.trimEnd()), ...calls];
}

function resultsFirst(a: Block, b: Block): number {
  return Number(a.type !== "tool_result") - Number(b.type !== "tool_result");
}

function text(value: string): Anthropic.TextBlockParam {
  return { type: "text", text: value };
}

/** Ids that another API gave may hold characters that this one refuses. */
function wireId(id: string): string {
  return id.replace(/[^a-zA-Z0-9_-]/g, "_");
}
