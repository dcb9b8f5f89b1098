import { AgentdError } from "../protocol/agentd-error.js";

/** Where this room reports what no client is told; a pino logger is one. */
export interface ControlLog {
  readonly warn: (fields: object, message: string) => void;
  readonly error: (fields: object, message: string) => void;
}

/** What a client may see of whatever was thrown: an `AgentdError` as it is; anything else is logged here, once, as `internal`. */
export function asAgentdError(thrown: unknown, op: string, log: ControlLog): AgentdError {
  if (thrown instanceof AgentdError) {
    if (thrown.code === "internal") log.error({ err: thrown, op }, "request failed");
    return thrown;
  }
  log.error({ err: thrown, op }, "request failed");
  return new AgentdError("internal", op, "the daemon failed to carry the request out", {
    cause: thrown,
  });
}
