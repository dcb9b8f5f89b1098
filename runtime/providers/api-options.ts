import type { ModelRequest } from "../protocol/model.js";
import type { Connection } from "./attempt.js";
import type { Price } from "./cost.js";
import type { RetryPolicy } from "./retry.js";

/** What the stream of one model API is made with. */
export interface ApiOptions {
  readonly connection: Connection;
  readonly retry: RetryPolicy;
  readonly price: Price;
  /** Whether a request is sent with thinking switched off; only for servers that know the switch. */
  readonly thinkingOff: (request: ModelRequest) => boolean;
}

/** For the packages' own time-out, longer than any `timeout_ms`: the idle watch decides. */
export const NO_TIMEOUT_MS = 2_147_483_647;
