import type { z } from "zod";
import { assertNever } from "../base/assert-never.js";
import type { JsonObject } from "../protocol/json.js";
import type { Message } from "../protocol/message.js";
import {
  addUsage,
  type ModelEvent,
  type ModelRequest,
  NO_USAGE,
  type ProviderFailure,
  type StructuredMode,
  type Usage,
} from "../protocol/model.js";
import { jsonCandidates } from "./json-extract.js";
import type { ResolvedModel } from "./models.js";
import { fromStrict, toStrict } from "./strict-dialect.js";

export interface JsonQuestion<T> {
  readonly model: ResolvedModel;
  readonly request: Omit<ModelRequest, "model" | "tools" | "structured">;
  /** What the answer must be; decides in the end. */
  readonly schema: z.ZodType<T>;
  /** The same as JSON Schema, for the API. */
  readonly jsonSchema: JsonObject;
  /** What the answer is called, for the API: letters, digits and `_`. */
  readonly name?: string;
  readonly onEvent?: (event: ModelEvent) => void;
  readonly signal: AbortSignal;
}

export type JsonAnswer<T> =
  | { readonly ok: true; readonly value: T; readonly usage: Usage; readonly text: string }
  | {
      readonly ok: false;
      /** What was wrong with the last answer, or why there was none; for the operator and for a planner's next try. */
      readonly problems: readonly string[];
      /** Set where the provider gave no reply at all. */
      readonly failure?: ProviderFailure;
      readonly usage: Usage;
      readonly text: string;
    };

/** How often an answer that is not valid is sent back with its errors. */
const MAX_CORRECTIONS = 2;
const MAX_PROBLEMS = 20;

type End = Extract<ModelEvent, { type: "reply" | "failed" }>;

/**
 * Asks a model for JSON by the strongest means that it serves; a means that the server does not know is left for the next. What
 * comes is checked by zod whatever the means, and an answer that is not valid goes back with its errors, at most twice.
 */
export async function askJson<T>(question: JsonQuestion<T>): Promise<JsonAnswer<T>> {
  const modes = [...question.model.structured];
  let messages = question.request.messages;
  let usage = NO_USAGE;
  let corrections = 0;
  for (;;) {
    const mode = modes[0] ?? "text";
    const end = await ask(question, mode, messages);
    usage = addUsage(usage, end.usage);
    if (end.type === "failed") {
      const { failure } = end;
      if (failure.kind !== "unsupported" || modes.length < 2)
        return { ok: false, problems: [failure.message], failure, usage, text: "" };
      modes.shift();
      continue;
    }
    const { text } = end.message;
    const checked = check(question, mode, end);
    if (checked.ok) return { ok: true, value: checked.value, usage, text };
    if (++corrections > MAX_CORRECTIONS || end.end === "refused")
      return { ok: false, problems: checked.problems, usage, text };
    messages = [...messages, ...correction(text, checked.problems)];
  }
}

async function ask<T>(
  question: JsonQuestion<T>,
  mode: StructuredMode,
  messages: readonly Message[],
): Promise<End> {
  const { jsonSchema, model, name = "answer", onEvent, signal } = question;
  const schema = mode === "json_schema" ? toStrict(jsonSchema) : jsonSchema;
  const request: ModelRequest = {
    ...question.request,
    model: model.model,
    messages: [...messages, ...instruction(mode, jsonSchema)],
    tools: [],
    structured: { name, schema, by: mode },
  };
  for await (const event of model.stream(request, signal)) {
    onEvent?.(event);
    if (event.type === "reply" || event.type === "failed") return event;
  }
  const failure = { kind: "garbage", message: "the provider's stream had no end" } as const;
  return { type: "failed", failure, usage: NO_USAGE };
}

/** What the weaker means need to be told in words. json_object is refused by some servers unless the prompt says "JSON". */
function instruction(mode: StructuredMode, schema: JsonObject): Message[] {
  switch (mode) {
    case "json_schema":
    case "tool":
      return [];
    case "json_object":
    case "text": {
      const text = `Answer with one JSON object and nothing else: no prose, no code fence. It must satisfy this JSON Schema:\n${JSON.stringify(schema)}`;
      return [{ role: "user", text }];
    }
    default:
      return assertNever(mode);
  }
}

function check<T>(
  question: JsonQuestion<T>,
  mode: StructuredMode,
  reply: Extract<End, { type: "reply" }>,
): { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problems: string[] } {
  const candidates = jsonCandidates(reply.message.text);
  const problems: string[] = [];
  for (const candidate of candidates) {
    const value = mode === "json_schema" ? fromStrict(question.jsonSchema, candidate) : candidate;
    const parsed = question.schema.safeParse(value);
    if (parsed.success) return { ok: true, value: parsed.data };
    // The longest candidate comes first, and it is the one that was meant.
    if (problems.length === 0) problems.push(...parsed.error.issues.map(issueText));
  }
  if (problems.length > 0) return { ok: false, problems: problems.slice(0, MAX_PROBLEMS) };
  return { ok: false, problems: [whyNoJson(reply, question.request.max_output_tokens)] };
}

function whyNoJson(reply: Extract<End, { type: "reply" }>, maxTokens: number): string {
  switch (reply.end) {
    case "blank":
      return "the reply was empty";
    case "max_tokens":
      return `the reply was cut off after ${maxTokens} tokens; a shorter one is needed`;
    case "refused":
      return "the model refused to answer";
    case "end_turn":
    case "tool_use":
      return "the reply holds no complete JSON object";
    default:
      return assertNever(reply.end);
  }
}

function correction(text: string, problems: readonly string[]): Message[] {
  const asked = `That answer is not valid:\n${problems.map((problem) => `- ${problem}`).join("\n")}\nAnswer again with the whole corrected JSON object and nothing else.`;
  const answer: Message[] = text.trim() === "" ? [] : [{ role: "assistant", text, tool_calls: [] }];
  return [...answer, { role: "user", text: asked }];
}

function issueText(issue: z.core.$ZodIssue): string {
  const path = issue.path.map(String).join(".");
  return path === "" ? issue.message : `${path}: ${issue.message}`;
}
