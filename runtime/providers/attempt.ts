import type { ModelEvent, ModelRequest, ProviderFailure, Usage } from "../protocol/model.js";

/** What one try at a model API gives: deltas, then exactly one `reply` or `failed`, last. */
export type AttemptEvent =
  | Extract<ModelEvent, { type: "text" | "reasoning" | "reply" }>
  | AttemptFailed;

export interface AttemptFailed {
  readonly type: "failed";
  readonly failure: ProviderFailure;
  /** What the failed try had used all the same. */
  readonly usage: Usage;
  /** How long the provider asks to wait, in ms. */
  readonly retry_after_ms?: number;
}

export type Attempt = (request: ModelRequest, signal: AbortSignal) => AsyncIterable<AttemptEvent>;

/** How to reach one provider. */
export interface Connection {
  /** The provider's name in providers.yaml, for messages. */
  readonly provider: string;
  readonly base_url: string;
  /** None means that no key is sent. */
  readonly key?: string;
  /** Without a byte for this long a try is given up. */
  readonly timeout_ms: number;
  readonly fetch: typeof fetch;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}
