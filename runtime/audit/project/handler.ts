import { AgentdError } from "../../protocol/agentd-error.js";
import type { EventBodyOf, EventEnvelope, EventKind } from "../../protocol/event.js";

/** A stored event of one kind. */
export type EventOf<K extends EventKind> = Omit<EventEnvelope, "kind"> & EventBodyOf<K>;

/**
 * What events of these kinds change in the tables: of the event and the tables alone, JSON columns in canonical form, so that a replay
 * makes the same rows. A handler throws `AgentdError` for a change that is illegal. */
export type Handlers<K extends EventKind> = {
  readonly [P in K]: (event: EventOf<P>) => void;
};

const OP = "append event";

/** A part of the envelope that this kind of event cannot do without. */
export function needed<T>(value: T | undefined, field: string, kind: EventKind): T {
  if (value === undefined) throw new AgentdError("internal", OP, `${kind} needs ${field}`);
  return value;
}

export function unknownId(what: string, id: string): AgentdError {
  return new AgentdError("unknown_id", OP, `there is no ${what} ${id}`);
}

export function illegal(message: string): AgentdError {
  return new AgentdError("illegal_transition", OP, message);
}
