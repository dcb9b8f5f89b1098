import { z } from "zod";
import type { Json, JsonObject } from "./json.js";
import type { AssistantMessage, Message } from "./message.js";

/** Tokens of one call, as the provider reported them, and their price by providers.yaml. */
export const Usage = z.strictObject({
  input_tokens: z.int().min(0),
  output_tokens: z.int().min(0),
  usd: z.number().min(0),
});
export type Usage = z.infer<typeof Usage>;

export const NO_USAGE: Usage = { input_tokens: 0, output_tokens: 0, usd: 0 };

export function addUsage(a: Usage, b: Usage): Usage {
  return {
    input_tokens: a.input_tokens + b.input_tokens,
    output_tokens: a.output_tokens + b.output_tokens,
    usd: a.usd + b.usd,
  };
}

/** A tool as a model sees it. `input_schema` is JSON Schema (draft 2020-12). The name may hold dots; providers map it. */
export interface ToolSpec {
  readonly name: string;
  readonly description: string;
  readonly input_schema: JsonObject;
}

/**
 * What the call is for, in data. Model APIs never see it: they get `messages`. The builtin provider has no model and works from
 * this alone.
 */
export type ModelTask =
  | {
      readonly kind: "plan";
      readonly goal: string;
      readonly roles: readonly string[];
      readonly failure?: string;
    }
  | { readonly kind: "classify"; readonly goal: string }
  | {
      readonly kind: "step";
      readonly role: string;
      readonly goal: string;
      readonly params: Readonly<Record<string, Json>>;
    };

export interface ModelRequest {
  /** A model id; aliases are resolved before. */
  readonly model: string;
  readonly messages: readonly Message[];
  readonly tools: readonly ToolSpec[];
  readonly max_output_tokens: number;
  /** Ask for JSON of this schema by the strongest means named in `structured`. */
  readonly structured?: {
    readonly name: string;
    readonly schema: JsonObject;
    readonly by: StructuredMode;
  };
  readonly task?: ModelTask;
  /**
   * Called between two tries of the call, with what the failed one came to. It lets `pause` pass, and may end the call: the
   * failure it gives takes the place of the next try. Without it the pause is all.
   */
  readonly between_tries?: (
    failed: FailedTry,
    pause: () => Promise<void>,
  ) => Promise<ProviderFailure | undefined>;
}

export interface FailedTry {
  readonly failure: ProviderFailure;
  readonly usage: Usage;
  /** How long the provider asks to wait, in ms. */
  readonly retry_after_ms?: number;
}

/** How JSON is asked for, strongest first. */
export const STRUCTURED_MODES = ["json_schema", "tool", "json_object", "text"] as const;
export type StructuredMode = (typeof STRUCTURED_MODES)[number];

/** Why a reply ended. `blank`: nothing but white space came. `max_tokens`: cut off. */
export const ReplyEnd = z.enum(["end_turn", "tool_use", "max_tokens", "blank", "refused"]);
export type ReplyEnd = z.infer<typeof ReplyEnd>;

/** Why a provider gave no reply. `unsupported`: it does not know the structured mode asked for; try the next. */
export type ProviderFailureKind =
  | "auth"
  | "rate_limited"
  | "overloaded"
  | "bad_request"
  | "unsupported"
  | "context_length"
  | "unknown_model"
  | "network"
  | "timeout"
  | "garbage"
  | "not_understood"
  /** Not asked at all: the run may spend no more. */
  | "over_budget"
  | "cancelled";

export interface ProviderFailure {
  readonly kind: ProviderFailureKind;
  /** What is wrong and where, without secrets. */
  readonly message: string;
  readonly status?: number;
}

/** What a provider's stream gives: deltas as they come, then exactly one `reply` or `failed`, last. */
export type ModelEvent =
  | { readonly type: "text"; readonly delta: string }
  | { readonly type: "reasoning"; readonly delta: string }
  /** A try failed and the next begins after `wait_ms`; nothing given before counts. */
  | {
      readonly type: "retry";
      readonly attempt: number;
      readonly wait_ms: number;
      readonly failure: ProviderFailure;
    }
  | {
      readonly type: "reply";
      readonly message: AssistantMessage;
      readonly end: ReplyEnd;
      readonly usage: Usage;
    }
  | {
      readonly type: "failed";
      readonly failure: ProviderFailure;
      readonly usage: Usage;
      /** How long the provider asks to wait, in ms. */
      readonly retry_after_ms?: number;
    };

/** One model API: a function from messages to a stream of events. It never throws for what a network or a model does. */
export type ModelStream = (request: ModelRequest, signal: AbortSignal) => AsyncIterable<ModelEvent>;
