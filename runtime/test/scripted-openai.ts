import type { JsonObject } from "../protocol/json.js";
import { contentText, FUNCTION_NAME, listOf, objectOf, textOf } from "./scripted-fields.js";
import type { ScriptedRequest, ScriptedTurn } from "./scripted-script.js";

/** The parts of a Chat Completions request that scripts look at. */
export function readOpenai(
  body: JsonObject,
): Omit<ScriptedRequest, "api" | "body" | "headers" | "at"> {
  const messages = listOf(body["messages"]);
  const of = (role: string): string[] =>
    messages.filter((message) => message["role"] === role).map((m) => contentText(m["content"]));
  const format = objectOf(body["response_format"]);
  const forced = textOf(objectOf(objectOf(body["tool_choice"])["function"])["name"]);
  const tools = listOf(body["tools"]).map((tool) => objectOf(tool["function"]));
  return {
    model: textOf(body["model"]),
    system: of("system").join("\n"),
    last: contentText(messages.at(-1)?.["content"]),
    tool_results: of("tool"),
    all: messages.map((message) => contentText(message["content"])).join("\n"),
    tools: tools.map((tool) => textOf(tool["name"])),
    structured: structuredOf(format, forced, tools),
    stream: body["stream"] === true,
  };
}

function structuredOf(
  format: JsonObject,
  forced: string,
  tools: readonly JsonObject[],
): ScriptedRequest["structured"] {
  if (forced !== "") {
    const tool = tools.find((candidate) => candidate["name"] === forced);
    return { by: "tool", name: forced, schema: tool?.["parameters"] ?? null };
  }
  if (format["type"] === "json_object") return { by: "json_object", name: "", schema: null };
  if (format["type"] !== "json_schema") return undefined;
  const named = objectOf(format["json_schema"]);
  return { by: "json_schema", name: textOf(named["name"]), schema: named["schema"] ?? null };
}

export interface OpenaiRules {
  /** A thinking model: tool-call turns must give reasoning_content back. */
  readonly thinking: boolean;
  readonly tokenParameter: "max_tokens" | "max_completion_tokens";
  readonly streamOptions: boolean;
}

/** Why a real server would answer 400, or undefined. */
export function refuseOpenai(body: JsonObject, rules: OpenaiRules): string | undefined {
  const messages = listOf(body["messages"]);
  if (messages.length === 0) return "'messages' must not be empty";
  if (rules.tokenParameter === "max_completion_tokens" && body["max_tokens"] !== undefined)
    return "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.";
  if (!rules.streamOptions && body["stream_options"] !== undefined)
    return "Unrecognized request argument supplied: stream_options";
  const name = listOf(body["tools"])
    .map((tool) => textOf(objectOf(tool["function"])["name"]))
    .find((candidate) => !FUNCTION_NAME.test(candidate));
  if (name !== undefined)
    return `Invalid 'tools[].function.name': '${name}' does not match the pattern '^[a-zA-Z0-9_-]{1,64}$'.`;
  return refuseMessages(messages, rules) ?? refuseFormat(body, messages);
}

function refuseMessages(messages: readonly JsonObject[], rules: OpenaiRules): string | undefined {
  let open = new Set<string>();
  for (const message of messages) {
    const calls = listOf(message["tool_calls"]);
    if (message["role"] === "tool") {
      if (!open.delete(textOf(message["tool_call_id"])))
        return "Invalid parameter: messages with role 'tool' must be a response to a preceding message with 'tool_calls'.";
      continue;
    }
    if (open.size > 0) return unanswered(open);
    const problem = refuseCalls(calls);
    if (problem !== undefined) return problem;
    if (rules.thinking && calls.length > 0 && message["reasoning_content"] === undefined)
      return "The `reasoning_content` in the thinking mode must be passed back to the API for messages with tool calls.";
    open = new Set(calls.map((call) => textOf(call["id"])));
  }
  return open.size > 0 ? unanswered(open) : undefined;
}

function refuseCalls(calls: readonly JsonObject[]): string | undefined {
  for (const call of calls) {
    const { arguments: args, name } = objectOf(call["function"]);
    if (!FUNCTION_NAME.test(textOf(name)))
      return `Invalid function name '${textOf(name)}' in tool_calls.`;
    if (!isJson(textOf(args))) return "Invalid 'tool_calls[].function.arguments': no valid JSON.";
  }
  return undefined;
}

function unanswered(open: ReadonlySet<string>): string {
  return `An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. Missing: ${[...open].join(", ")}`;
}

function refuseFormat(body: JsonObject, messages: readonly JsonObject[]): string | undefined {
  const format = objectOf(body["response_format"]);
  if (format["type"] === "json_object") {
    const said = messages.map((message) => contentText(message["content"])).join("\n");
    return /json/i.test(said)
      ? undefined
      : "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'.";
  }
  const named = objectOf(format["json_schema"]);
  if (format["type"] !== "json_schema" || named["strict"] !== true) return undefined;
  const problem = refuseStrict(objectOf(named["schema"]));
  return problem === undefined ? undefined : `Invalid schema for response_format: ${problem}`;
}

/** The dialect of strict schemas: closed objects, everything required, no unknown keywords. */
function refuseStrict(schema: JsonObject): string | undefined {
  for (const keyword of [
    "default",
    "pattern",
    "propertyNames",
    "patternProperties",
    "$ref",
    "oneOf",
    "allOf",
  ])
    if (schema[keyword] !== undefined) return `'${keyword}' is not permitted.`;
  const properties = objectOf(schema["properties"]);
  if (schema["type"] === "object") {
    if (schema["additionalProperties"] !== false)
      return "'additionalProperties' is required to be supplied and to be false.";
    const required = schema["required"];
    const missing = Object.keys(properties).find(
      (name) => !Array.isArray(required) || !required.includes(name),
    );
    if (missing !== undefined)
      return `'required' must include every key in properties; missing '${missing}'.`;
  }
  const inner = [...Object.values(properties).map(objectOf), ...listOf(schema["anyOf"])];
  if (schema["items"] !== undefined) inner.push(objectOf(schema["items"]));
  return inner.map(refuseStrict).find((problem) => problem !== undefined);
}

/** A turn as the chunks of a stream; the last one is the usage, where there is any. */
export function openaiChunks(
  turn: ScriptedTurn,
  request: ScriptedRequest,
  id: string,
): JsonObject[] {
  const head = { id, object: "chat.completion.chunk", created: 0, model: request.model };
  const chunk = (delta: JsonObject, finish: string | null = null): JsonObject => ({
    ...head,
    choices: [{ index: 0, delta, finish_reason: finish }],
  });
  const chunks = [chunk({ role: "assistant", content: "" })];
  if (turn.reasoning !== undefined) {
    for (const part of parts(turn.reasoning)) chunks.push(chunk({ reasoning_content: part }));
  }
  if (turn.text !== undefined)
    for (const part of parts(turn.text)) chunks.push(chunk({ content: part }));
  for (const [index, call] of (turn.tool_calls ?? []).entries()) {
    const callId = call.id ?? `${id}_${index}`;
    const first = {
      index,
      id: callId,
      type: "function",
      function: { name: call.name, arguments: "" },
    };
    chunks.push(chunk({ tool_calls: [first] }));
    for (const part of parts(call.raw ?? JSON.stringify(call.input ?? {})))
      chunks.push(chunk({ tool_calls: [{ index, function: { arguments: part } }] }));
  }
  chunks.push(chunk({}, finishOf(turn)));
  const usage = openaiUsage(turn);
  const wanted = objectOf(request.body["stream_options"])["include_usage"] === true;
  if (usage !== undefined && wanted) chunks.push({ ...head, choices: [], usage });
  return chunks;
}

/** A turn as one whole answer. */
export function openaiWhole(turn: ScriptedTurn, request: ScriptedRequest, id: string): JsonObject {
  const calls = (turn.tool_calls ?? []).map((call, index) => ({
    id: call.id ?? `${id}_${index}`,
    type: "function",
    function: { name: call.name, arguments: call.raw ?? JSON.stringify(call.input ?? {}) },
  }));
  const message: JsonObject = {
    role: "assistant",
    content: turn.text ?? null,
    ...(turn.reasoning === undefined ? {} : { reasoning_content: turn.reasoning }),
    ...(calls.length === 0 ? {} : { tool_calls: calls }),
  };
  const usage = openaiUsage(turn);
  return {
    id,
    object: "chat.completion",
    created: 0,
    model: request.model,
    choices: [{ index: 0, message, finish_reason: finishOf(turn) }],
    ...(usage === undefined ? {} : { usage }),
  };
}

/** Text in pieces of a few characters, never none, so that an empty text is sent as such. */
export function parts(text: string): string[] {
  return text === "" ? [""] : (text.match(/[\s\S]{1,12}/gu) ?? []);
}

function openaiUsage(turn: ScriptedTurn): JsonObject | undefined {
  if (turn.usage === null) return undefined;
  const { input, output } = turn.usage ?? { input: 10, output: 5 };
  return { prompt_tokens: input, completion_tokens: output, total_tokens: input + output };
}

function finishOf(turn: ScriptedTurn): string {
  return turn.finish ?? ((turn.tool_calls ?? []).length > 0 ? "tool_calls" : "stop");
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
