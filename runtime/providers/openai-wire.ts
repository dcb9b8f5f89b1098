import type OpenAI from "openai";
import type { AssistantMessage, Message } from "../protocol/message.js";
import type { ModelRequest } from "../protocol/model.js";
import type { OpenaiDialect } from "./openai-dialect.js";
import type { ToolNames } from "./tool-names.js";

type Params = OpenAI.ChatCompletionCreateParamsStreaming;
type WireMessage = OpenAI.ChatCompletionMessageParam;

/** DeepSeek's switch; the package's types do not know it. */
export interface OpenaiBody extends Params {
  readonly thinking?: { readonly type: "disabled" };
}

/** A request as the body of POST /chat/completions. */
export function openaiBody(
  request: ModelRequest,
  names: ToolNames,
  dialect: OpenaiDialect,
  thinkingOff: boolean,
): OpenaiBody {
  const giveReasoning =
    dialect.reasoning === "always" ||
    (dialect.reasoning === "seen" && request.messages.some(hasReasoning));
  const tools = request.tools.map((tool) => functionTool(names.toWire(tool.name), tool));
  const structured = structuredParams(request);
  return {
    model: request.model,
    messages: request.messages.map((message) => wireMessage(message, names, giveReasoning)),
    stream: true,
    [dialect.token_limit]: request.max_output_tokens,
    ...(dialect.stream_options ? { stream_options: { include_usage: true } } : {}),
    ...(tools.length > 0 ? { tools } : {}),
    ...structured,
    ...(thinkingOff ? { thinking: { type: "disabled" } } : {}),
  };
}

function structuredParams(request: ModelRequest): Partial<Params> {
  const structured = request.structured;
  if (structured === undefined) return {};
  const { name, schema } = structured;
  switch (structured.by) {
    case "json_schema":
      return {
        response_format: { type: "json_schema", json_schema: { name, strict: true, schema } },
      };
    case "tool":
      return {
        tools: [functionTool(name, { description: "Give the answer.", input_schema: schema })],
        tool_choice: { type: "function", function: { name } },
      };
    case "json_object":
      return { response_format: { type: "json_object" } };
    case "text":
      return {};
  }
}

function functionTool(
  name: string,
  tool: { readonly description: string; readonly input_schema: Record<string, unknown> },
): OpenAI.ChatCompletionFunctionTool {
  const { description, input_schema: parameters } = tool;
  return { type: "function", function: { name, description, parameters } };
}

function wireMessage(message: Message, names: ToolNames, giveReasoning: boolean): WireMessage {
  switch (message.role) {
    case "system":
      return { role: "system", content: message.text };
    case "user":
      return { role: "user", content: message.text };
    case "tool":
      return { role: "tool", tool_call_id: message.call_id, content: message.text };
    case "assistant":
      return assistantMessage(message, names, giveReasoning);
  }
}

function assistantMessage(
  message: AssistantMessage,
  names: ToolNames,
  giveReasoning: boolean,
): WireMessage {
  if (message.tool_calls.length === 0) return { role: "assistant", content: message.text };
  const wire: OpenAI.ChatCompletionAssistantMessageParam = {
    role: "assistant",
    content: message.text === "" ? null : message.text,
    tool_calls: message.tool_calls.map((call) => ({
      id: call.id,
      type: "function",
      function: {
        name: names.toWire(call.name),
        // What was no JSON goes back as an empty object: servers parse the arguments again and refuse the whole conversation.
        arguments: call.malformed === undefined ? JSON.stringify(call.input) : "{}",
      },
    })),
  };
  return giveReasoning ? Object.assign(wire, { reasoning_content: message.reasoning ?? "" }) : wire;
}

function hasReasoning(message: Message): boolean {
  return message.role === "assistant" && message.reasoning !== undefined;
}
