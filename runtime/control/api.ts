import { AgentdError } from "../protocol/agentd-error.js";
import type { Caller } from "../protocol/caller.js";
import { type Frame, METHODS, type Method } from "../protocol/control.js";
import type { CallMethod, CallResult, StreamMethod } from "../protocol/control-results.js";
import type { Gate } from "./access.js";
import { describeIssues } from "./frames.js";
import type { CallContext, Handlers } from "./handler.js";
import { anyHandler } from "./registry.js";

/**
 * The socket's methods for callers that come by another door: parsed, judged, recorded and cut to what the caller may see exactly as
 * there. Throws AgentdError.
 */
export interface Api {
  readonly call: <M extends CallMethod>(
    method: M,
    params: unknown,
    context: CallContext,
  ) => Promise<CallResult<M>>;
  readonly stream: (
    method: StreamMethod,
    params: unknown,
    context: CallContext,
  ) => AsyncGenerator<Frame>;
}

export function openApi(options: {
  readonly handlersFor: (caller: Caller) => Handlers;
  readonly gate: Gate;
}): Api {
  const admitted = async (method: Method, params: unknown, { peer }: CallContext) => {
    const checked = METHODS[method].safeParse(params);
    if (!checked.success)
      throw new AgentdError("invalid_request", "read request", describeIssues(checked.error));
    await options.gate(method, checked.data, peer);
    return { data: checked.data, run: anyHandler(options.handlersFor(peer), method) };
  };
  return {
    call: async <M extends CallMethod>(method: M, params: unknown, context: CallContext) => {
      const { data, run } = await admitted(method, params, context);
      return (await run(data, context)) as CallResult<M>;
    },
    stream: async function* (method, params, context) {
      const { data, run } = await admitted(method, params, context);
      yield* run(data, context) as AsyncIterable<Frame>;
    },
  };
}
