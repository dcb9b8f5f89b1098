import type Anthropic from "@anthropic-ai/sdk";
import type { Json } from "../protocol/json.js";
import type { ModelEvent } from "../protocol/model.js";
import type { CollectedReply } from "./reply.js";

type StreamEvent = Anthropic.RawMessageStreamEvent;
type DeltaEvent = Extract<ModelEvent, { type: "text" | "reasoning" }>;

/** A content block in the API's own form, as it grows; `partial` is the JSON of a call's input so far. */
interface DraftBlock {
  readonly block: Record<string, Json>;
  partial: string;
}

/** What has come of one streamed message so far. */
export interface AnthropicDraft {
  readonly blocks: Map<number, DraftBlock>;
  stop: string | undefined;
  /** Whether the API said that the message is whole. */
  ended: boolean;
  input: number;
  output: number;
  /** Whether any usage was reported. */
  counted: boolean;
}

export function anthropicDraft(): AnthropicDraft {
  return {
    blocks: new Map(),
    stop: undefined,
    ended: false,
    input: 0,
    output: 0,
    counted: false,
  };
}

/** Adds one event to the draft and gives what of it is for a reader. */
export function addStreamEvent(draft: AnthropicDraft, event: StreamEvent): DeltaEvent[] {
  switch (event.type) {
    case "message_start":
      count(draft, event.message.usage);
      return [];
    case "content_block_start":
      draft.blocks.set(event.index, startBlock(event.content_block));
      return [];
    case "content_block_delta":
      return addDelta(draft, event);
    case "message_delta":
      draft.stop = event.delta.stop_reason ?? draft.stop;
      count(draft, event.usage);
      return [];
    case "message_stop":
      draft.ended = true;
      return [];
    case "content_block_stop":
      return [];
    default:
      // Newer servers send events that this version does not know.
      return [];
  }
}

/** A whole answer of a server that does not stream, put into the draft. */
export function addWholeMessage(draft: AnthropicDraft, message: Anthropic.Message): void {
  count(draft, message.usage);
  message.content.forEach((block, index) => {
    draft.blocks.set(index, startBlock(block));
  });
  draft.stop = message.stop_reason ?? undefined;
  draft.ended = true;
}

export function collectedMessage(draft: AnthropicDraft): CollectedReply {
  const blocks = [...draft.blocks].sort((a, b) => a[0] - b[0]).map(([, block]) => block);
  const calls = blocks.filter(isOf("tool_use")).map((entry) => ({
    id: textOf(entry.block["id"]),
    name: textOf(entry.block["name"]),
    arguments: entry.partial,
  }));
  const thoughts = blocks.filter((entry) => /thinking$/.test(textOf(entry.block["type"])));
  const text = blocks.filter(isOf("text")).map((entry) => textOf(entry.block["text"]));
  const reply = { text: text.join(""), calls, cut: CUTS[draft.stop ?? ""] };
  if (thoughts.length === 0) return reply;
  return {
    ...reply,
    reasoning: thoughts.map((entry) => textOf(entry.block["thinking"])).join(""),
    opaque: blocks.filter((entry) => entry.block["text"] !== "").map(finalBlock),
  };
}

const CUTS: Readonly<Record<string, CollectedReply["cut"]>> = {
  max_tokens: "max_tokens",
  model_context_window_exceeded: "max_tokens",
  refusal: "refused",
};

function startBlock(block: object): DraftBlock {
  const fields = JSON.parse(JSON.stringify(block)) as Record<string, Json>;
  const given = fields["input"];
  const isFilled = typeof given === "object" && given !== null && Object.keys(given).length > 0;
  return { block: fields, partial: isFilled ? JSON.stringify(given) : "" };
}

function addDelta(
  draft: AnthropicDraft,
  event: Extract<StreamEvent, { type: "content_block_delta" }>,
): DeltaEvent[] {
  const entry = draft.blocks.get(event.index);
  if (entry === undefined) return [];
  const { delta } = event;
  switch (delta.type) {
    case "text_delta":
      append(entry.block, "text", delta.text);
      return delta.text === "" ? [] : [{ type: "text", delta: delta.text }];
    case "thinking_delta":
      append(entry.block, "thinking", delta.thinking);
      return delta.thinking === "" ? [] : [{ type: "reasoning", delta: delta.thinking }];
    case "signature_delta":
      append(entry.block, "signature", delta.signature);
      return [];
    case "input_json_delta":
      entry.partial += delta.partial_json;
      return [];
    case "citations_delta":
      return [];
    default:
      return [];
  }
}

/** Counts replace one another: the API reports totals. Cached input is input all the same. */
function count(draft: AnthropicDraft, usage: CountedUsage | null | undefined): void {
  if (usage === null || usage === undefined) return;
  const input =
    (usage.input_tokens ?? 0) +
    (usage.cache_creation_input_tokens ?? 0) +
    (usage.cache_read_input_tokens ?? 0);
  if (input > 0) draft.input = input;
  draft.output = usage.output_tokens ?? draft.output;
  draft.counted = true;
}

/** Of a message and of a delta alike; servers leave fields out. */
interface CountedUsage {
  readonly input_tokens?: number | null;
  readonly cache_creation_input_tokens?: number | null;
  readonly cache_read_input_tokens?: number | null;
  readonly output_tokens?: number | null;
}

function finalBlock(entry: DraftBlock): Json {
  if (entry.block["type"] !== "tool_use") return entry.block;
  return { ...entry.block, input: inputOf(entry.partial) };
}

function inputOf(partial: string): Json {
  try {
    return partial.trim() === "" ? {} : (JSON.parse(partial) as Json);
  } catch {
    return {};
  }
}

function append(block: Record<string, Json>, field: string, delta: string): void {
  block[field] = textOf(block[field]) + delta;
}

function isOf(type: string): (entry: DraftBlock) => boolean {
  return (entry) => entry.block["type"] === type;
}

function textOf(value: Json | undefined): string {
  return typeof value === "string" ? value : "";
}
