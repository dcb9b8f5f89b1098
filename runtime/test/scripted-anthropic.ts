import type { Json, JsonObject } from "../protocol/json.js";
import { contentText, FUNCTION_NAME, listOf, objectOf, textOf } from "./scripted-fields.js";
import { parts } from "./scripted-openai.js";
import type { ScriptedRequest, ScriptedTurn } from "./scripted-script.js";

/** The parts of a Messages request that scripts look at. */
export function readAnthropic(
  body: JsonObject,
): Omit<ScriptedRequest, "api" | "body" | "headers" | "at"> {
  const messages = listOf(body["messages"]);
  const results = messages
    .flatMap((message) => listOf(message["content"]))
    .filter((block) => block["type"] === "tool_result");
  const system = contentText(body["system"]);
  const tools = listOf(body["tools"]);
  return {
    model: textOf(body["model"]),
    system,
    last: contentText(messages.at(-1)?.["content"]),
    tool_results: results.map((block) => contentText(block["content"])),
    all: [system, ...messages.map((message) => contentText(message["content"]))].join("\n"),
    tools: tools.map((tool) => textOf(tool["name"])),
    structured: structuredOf(body, tools),
    stream: body["stream"] === true,
  };
}

function structuredOf(
  body: JsonObject,
  tools: readonly JsonObject[],
): ScriptedRequest["structured"] {
  const choice = objectOf(body["tool_choice"]);
  const format = objectOf(objectOf(body["output_config"])["format"]);
  if (format["type"] === "json_schema")
    return { by: "json_schema", name: "", schema: format["schema"] ?? null };
  if (choice["type"] !== "tool") return undefined;
  const name = textOf(choice["name"]);
  const tool = tools.find((candidate) => candidate["name"] === name);
  return { by: "tool", name, schema: tool?.["input_schema"] ?? null };
}

/** Why the real API would answer 400, or undefined. `thinking`: tool-call turns must give their thinking blocks back. */
export function refuseAnthropic(body: JsonObject, thinking: boolean): string | undefined {
  const messages = listOf(body["messages"]);
  if (typeof body["max_tokens"] !== "number") return "max_tokens: Field required";
  if (messages[0]?.["role"] !== "user") return 'messages: first message must use the "user" role';
  const name = listOf(body["tools"])
    .map((tool) => textOf(tool["name"]))
    .find((n) => !FUNCTION_NAME.test(n));
  if (name !== undefined)
    return `tools.0.custom.name: String should match pattern '^[a-zA-Z0-9_-]{1,64}$' (${name})`;
  let open: ReadonlySet<string> = new Set();
  for (const [index, message] of messages.entries()) {
    const blocks = listOf(message["content"]);
    const problem = refuseTurn(message["role"], blocks, open, thinking);
    if (problem !== undefined) return `messages.${index}: ${problem}`;
    open = new Set(ofType(blocks, "tool_use").map((block) => textOf(block["id"])));
  }
  return open.size > 0
    ? "`tool_use` ids were found without `tool_result` blocks immediately after"
    : undefined;
}

function refuseTurn(
  role: Json | undefined,
  blocks: readonly JsonObject[],
  open: ReadonlySet<string>,
  thinking: boolean,
): string | undefined {
  if (blocks.some((block) => block["type"] === "text" && textOf(block["text"]).trim() === ""))
    return "text content blocks must be non-empty";
  const results = ofType(blocks, "tool_result").map((block) => textOf(block["tool_use_id"]));
  if (results.some((id) => !open.has(id)))
    return "unexpected `tool_use_id` found in `tool_result` blocks";
  if (open.size !== new Set(results).size)
    return "`tool_use` ids were found without `tool_result` blocks immediately after";
  const firstOther = blocks.findIndex((block) => block["type"] !== "tool_result");
  if (
    role === "user" &&
    firstOther >= 0 &&
    blocks.slice(firstOther).some((b) => b["type"] === "tool_result")
  )
    return "`tool_result` blocks must come first";
  const calls = ofType(blocks, "tool_use");
  if (calls.some((call) => !/^[a-zA-Z0-9_-]+$/.test(textOf(call["id"]))))
    return "tool_use.id: String should match pattern";
  if (calls.some((call) => !FUNCTION_NAME.test(textOf(call["name"]))))
    return "tool_use.name: String should match pattern";
  const thought =
    blocks[0]?.["type"] === "thinking" && textOf(blocks[0]["signature"]) === SIGNATURE;
  if (thinking && calls.length > 0 && !thought)
    return "a final `assistant` message must start with a thinking block when `thinking` is enabled";
  return undefined;
}

/** What every thinking block of this server is signed with. */
const SIGNATURE = "c2lnbmVkIGJ5IHRoZSBzY3JpcHQ=";

/** A turn as the events of a stream. */
export function anthropicEvents(
  turn: ScriptedTurn,
  request: ScriptedRequest,
  id: string,
): JsonObject[] {
  const usage = anthropicUsage(turn);
  const start = { ...messageHead(request, id), content: [], stop_reason: null };
  const events: JsonObject[] = [
    {
      type: "message_start",
      message: {
        ...start,
        ...(usage === undefined ? {} : { usage: { ...usage, output_tokens: 1 } }),
      },
    },
  ];
  for (const [index, block] of blocksOf(turn, id).entries())
    events.push(...blockEvents(index, block));
  const delta = { stop_reason: stopOf(turn), stop_sequence: null };
  events.push({
    type: "message_delta",
    delta,
    ...(usage === undefined ? {} : { usage: { output_tokens: usage["output_tokens"] ?? 0 } }),
  });
  events.push({ type: "message_stop" });
  return events;
}

/** A turn as one whole answer. */
export function anthropicWhole(
  turn: ScriptedTurn,
  request: ScriptedRequest,
  id: string,
): JsonObject {
  const usage = anthropicUsage(turn);
  return {
    ...messageHead(request, id),
    content: blocksOf(turn, id).map(({ raw, ...block }) =>
      raw === undefined ? block : { ...block, input: JSON.parse(textOf(raw)) as Json },
    ),
    stop_reason: stopOf(turn),
    ...(usage === undefined ? {} : { usage }),
  };
}

function messageHead(request: ScriptedRequest, id: string): JsonObject {
  return { id, type: "message", role: "assistant", model: request.model, stop_sequence: null };
}

function blockEvents(index: number, { raw, ...block }: JsonObject): JsonObject[] {
  const type = textOf(block["type"]);
  const empty: JsonObject = { ...block, ...EMPTY[type] };
  const deltas: JsonObject[] = [];
  if (type === "text")
    deltas.push(...parts(textOf(block["text"])).map((text) => ({ type: "text_delta", text })));
  if (type === "thinking") {
    deltas.push(
      ...parts(textOf(block["thinking"])).map((thinking) => ({ type: "thinking_delta", thinking })),
    );
    deltas.push({ type: "signature_delta", signature: SIGNATURE });
  }
  if (type === "tool_use")
    deltas.push(
      ...parts(textOf(raw)).map((json) => ({ type: "input_json_delta", partial_json: json })),
    );
  return [
    { type: "content_block_start", index, content_block: empty },
    ...deltas.map((delta) => ({ type: "content_block_delta", index, delta })),
    { type: "content_block_stop", index },
  ];
}

const EMPTY: Readonly<Record<string, JsonObject>> = {
  text: { text: "" },
  thinking: { thinking: "", signature: "" },
  tool_use: { input: {} },
};

/** `raw` is the text of a call's input, valid JSON or not. */
function blocksOf(turn: ScriptedTurn, id: string): JsonObject[] {
  const blocks: JsonObject[] = [];
  if (turn.reasoning !== undefined)
    blocks.push({ type: "thinking", thinking: turn.reasoning, signature: SIGNATURE });
  if (turn.text !== undefined) blocks.push({ type: "text", text: turn.text });
  for (const [index, call] of (turn.tool_calls ?? []).entries())
    blocks.push({
      type: "tool_use",
      id: call.id ?? `${id}_${index}`,
      name: call.name,
      raw: call.raw ?? JSON.stringify(call.input ?? {}),
    });
  return blocks;
}

function anthropicUsage(turn: ScriptedTurn): JsonObject | undefined {
  if (turn.usage === null) return undefined;
  const { input, output } = turn.usage ?? { input: 10, output: 5 };
  return { input_tokens: input, output_tokens: output };
}

function stopOf(turn: ScriptedTurn): string {
  if (turn.finish === "length") return "max_tokens";
  if (turn.finish === "content_filter") return "refusal";
  const calls = (turn.tool_calls ?? []).length > 0;
  return calls || turn.finish === "tool_calls" ? "tool_use" : "end_turn";
}

function ofType(blocks: readonly JsonObject[], type: string): JsonObject[] {
  return blocks.filter((block) => block["type"] === type);
}
