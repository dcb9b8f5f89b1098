import type { IncomingHttpHeaders } from "node:http";
import type { Json, JsonObject } from "../protocol/json.js";

/** One call as the scripted model sees it, whichever API it came by. */
export interface ScriptedRequest {
  readonly api: "openai" | "anthropic";
  readonly model: string;
  readonly system: string;
  /** Text of the last message. */
  readonly last: string;
  /** Texts of all tool results, in order. */
  readonly tool_results: readonly string[];
  /** Everything that was said, system text first. */
  readonly all: string;
  /** Names as they stood on the wire. */
  readonly tools: readonly string[];
  readonly structured:
    | {
        readonly by: "json_schema" | "tool" | "json_object";
        readonly name: string;
        readonly schema: Json;
      }
    | undefined;
  readonly stream: boolean;
  readonly body: JsonObject;
  readonly headers: IncomingHttpHeaders;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

interface ScriptedCall {
  readonly name: string;
  readonly input?: Json;
  /** Instead of `input`: the arguments as text, valid JSON or not. */
  readonly raw?: string;
  readonly id?: string;
}

/** A reply as a model gives it. */
export interface ScriptedTurn {
  readonly text?: string;
  /** reasoning_content, or a signed thinking block. Empty counts as sent. */
  readonly reasoning?: string;
  readonly tool_calls?: readonly ScriptedCall[];
  readonly finish?: "stop" | "length" | "tool_calls" | "content_filter";
  /** null: the API reports none. */
  readonly usage?: { readonly input: number; readonly output: number } | null;
  /** Between two chunks of a stream. */
  readonly chunkDelayMs?: number;
}

/** What goes wrong. `stall` and `cut` send `text` first; `garbage` answers 200 with what is no reply. */
export type ScriptedFault =
  | {
      readonly fault: "status";
      readonly status: number;
      /** Seconds, or a date as text. */
      readonly retry_after?: number | string;
      readonly message?: string;
      readonly code?: string;
    }
  | { readonly fault: "hang" }
  | { readonly fault: "stall" | "cut"; readonly text?: string }
  | { readonly fault: "garbage"; readonly as?: "html" | "sse" | "json" | "error_event" }
  | { readonly fault: "blank" };

type Answer = string | ScriptedTurn | ScriptedFault;
export type ScriptedReply = Answer | ((request: ScriptedRequest) => Answer);

/** A text contains a string, or matches a pattern. */
type Matcher = string | RegExp;

export interface ScriptedRule {
  /** All that are named must match; none matches everything. `tool_result` looks at each result, `any` at everything said. */
  readonly match?: {
    readonly system?: Matcher;
    readonly last?: Matcher;
    readonly any?: Matcher;
    readonly tool_result?: Matcher;
    readonly model?: Matcher;
  };
  /** How often the rule serves before it is passed over. */
  readonly times?: number;
  readonly delayMs?: number;
  readonly reply: ScriptedReply;
}

/** The first rule that matches and is not used up, counted as used; or undefined. */
export function takeRule(
  rules: readonly ScriptedRule[],
  uses: Map<ScriptedRule, number>,
  request: ScriptedRequest,
): ScriptedRule | undefined {
  const rule = rules.find(
    (candidate) =>
      (uses.get(candidate) ?? 0) < (candidate.times ?? Number.POSITIVE_INFINITY) &&
      matches(candidate, request),
  );
  if (rule !== undefined) uses.set(rule, (uses.get(rule) ?? 0) + 1);
  return rule;
}

/** A reply as a turn or a fault. Text asked for by a forced tool becomes that call, so that a script need not know the means. */
export function answerOf(
  reply: ScriptedReply,
  request: ScriptedRequest,
): ScriptedTurn | ScriptedFault {
  const answer = typeof reply === "function" ? reply(request) : reply;
  const turn: ScriptedTurn | ScriptedFault = typeof answer === "string" ? { text: answer } : answer;
  if ("fault" in turn || request.structured?.by !== "tool" || turn.tool_calls !== undefined)
    return turn;
  const { text = "", ...rest } = turn;
  if (text.trim() === "") return turn;
  return { ...rest, tool_calls: [{ name: request.structured.name, raw: text }] };
}

function matches(rule: ScriptedRule, request: ScriptedRequest): boolean {
  const { any, last, model, system, tool_result } = rule.match ?? {};
  return (
    holds(system, [request.system]) &&
    holds(last, [request.last]) &&
    holds(any, [request.all]) &&
    holds(model, [request.model]) &&
    holds(tool_result, request.tool_results)
  );
}

function holds(matcher: Matcher | undefined, texts: readonly string[]): boolean {
  if (matcher === undefined) return true;
  return texts.some((text) =>
    typeof matcher === "string" ? text.includes(matcher) : text.search(matcher) >= 0,
  );
}
