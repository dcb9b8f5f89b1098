import type { Caller } from "../protocol/caller.js";
import type { Frame, Method, MethodParams } from "../protocol/control.js";
import type { CallMethod, CallResult, StreamMethod } from "../protocol/control-results.js";

/** Who asks, and until when an answer is of use: `signal` aborts when the client is gone or the daemon closes. */
export interface CallContext {
  readonly peer: Caller;
  readonly signal: AbortSignal;
}

/** Answers with one result. Throws `AgentdError` for what cannot be done. */
export type CallHandler<M extends CallMethod> = (
  params: MethodParams<M>,
  context: CallContext,
) => CallResult<M> | Promise<CallResult<M>>;

/** Answers with frames, `end` last; the connection closes after it. Its `finally` releases what it holds. */
export type StreamHandler<M extends StreamMethod> = (
  params: MethodParams<M>,
  context: CallContext,
) => AsyncIterable<Frame>;

/** One handler for every method of the protocol; a missing one does not compile. */
export type Handlers = { readonly [M in Method]: HandlerOf<M> };
type HandlerOf<M extends Method> = M extends CallMethod
  ? CallHandler<M>
  : M extends StreamMethod
    ? StreamHandler<M>
    : never;
