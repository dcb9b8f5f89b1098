import type OpenAI from "openai";
import type { ModelEvent } from "../protocol/model.js";
import type { CollectedCall, CollectedReply } from "./reply.js";

type Chunk = OpenAI.ChatCompletionChunk;
type Delta = Chunk["choices"][number]["delta"];
type DeltaEvent = Extract<ModelEvent, { type: "text" | "reasoning" }>;

interface DraftCall {
  id: string;
  name: string;
  arguments: string;
}

/** What has come of one streamed reply so far. */
export interface OpenaiDraft {
  text: string;
  reasoning: string | undefined;
  readonly calls: DraftCall[];
  /** Where in `calls` the deltas of an index go. */
  readonly position: Map<number, number>;
  finish: string | undefined;
  usage: { readonly input: number; readonly output: number } | undefined;
}

export function openaiDraft(): OpenaiDraft {
  return {
    text: "",
    reasoning: undefined,
    calls: [],
    position: new Map(),
    finish: undefined,
    usage: undefined,
  };
}

/** Adds one chunk to the draft and gives what of it is for a reader. Servers leave fields out or send null for them. */
export function addChunk(draft: OpenaiDraft, chunk: Chunk): DeltaEvent[] {
  const events: DeltaEvent[] = [];
  if (isPresent(chunk.usage)) {
    const { prompt_tokens, completion_tokens } = chunk.usage;
    draft.usage = { input: prompt_tokens, output: completion_tokens };
  }
  const choice = listOf(chunk.choices)[0];
  if (choice === undefined) return events;
  if (isPresent(choice.finish_reason)) draft.finish = choice.finish_reason;
  const delta = (choice.delta as Delta | undefined) ?? {};
  const thought = reasoningOf(delta);
  if (thought !== undefined) {
    draft.reasoning = (draft.reasoning ?? "") + thought;
    if (thought !== "") events.push({ type: "reasoning", delta: thought });
  }
  if (typeof delta.content === "string" && delta.content !== "") {
    draft.text += delta.content;
    events.push({ type: "text", delta: delta.content });
  }
  for (const call of listOf(delta.tool_calls)) addCall(draft, call);
  return events;
}

/** A whole answer of a server that does not stream, as the one chunk it amounts to. */
export function wholeAnswer(body: OpenAI.ChatCompletion): Chunk {
  const choices = listOf(body.choices).map((choice) => ({
    index: choice.index,
    finish_reason: choice.finish_reason,
    delta: {
      ...choice.message,
      tool_calls: listOf(choice.message.tool_calls).map((call, index) => ({ ...call, index })),
    },
  }));
  return { ...body, choices, object: "chat.completion.chunk" } as unknown as Chunk;
}

export function collected(draft: OpenaiDraft): CollectedReply {
  const calls: CollectedCall[] = draft.calls.map((call) => ({ ...call }));
  const cut = CUTS[draft.finish ?? ""];
  return draft.reasoning === undefined
    ? { text: draft.text, calls, cut }
    : { text: draft.text, reasoning: draft.reasoning, calls, cut };
}

const CUTS: Readonly<Record<string, CollectedReply["cut"]>> = {
  length: "max_tokens",
  content_filter: "refused",
};

function addCall(draft: OpenaiDraft, delta: NonNullable<Delta["tool_calls"]>[number]): void {
  const index = (delta.index as number | undefined) ?? 0;
  let call = draft.calls[draft.position.get(index) ?? -1];
  const id = delta.id ?? "";
  // Some servers number every call 0: another id begins another call.
  if (call === undefined || (id !== "" && call.id !== "" && call.id !== id)) {
    call = { id: "", name: "", arguments: "" };
    draft.position.set(index, draft.calls.push(call) - 1);
  }
  if (call.id === "") call.id = id;
  if (call.name === "") call.name = delta.function?.name ?? "";
  call.arguments += delta.function?.arguments ?? "";
}

/** `reasoning_content` of DeepSeek, llama.cpp and vLLM, or `reasoning` of OpenRouter and Ollama; undefined where neither came. */
function reasoningOf(delta: Delta): string | undefined {
  const fields = delta as { readonly reasoning_content?: unknown; readonly reasoning?: unknown };
  const thought = fields.reasoning_content ?? fields.reasoning;
  return typeof thought === "string" ? thought : undefined;
}

/** The types promise what servers leave out. */
function listOf<T>(list: readonly T[] | null | undefined): readonly T[] {
  return list ?? [];
}

function isPresent<T>(value: T | null | undefined): value is T {
  return value !== null && value !== undefined;
}
