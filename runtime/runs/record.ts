import type { Journal } from "../audit/journal.js";
import type { AuditEvent, EventBody, EventContext, NewEvent } from "../protocol/event.js";

/** Write what happened, durably, all or nothing; resolves when it is, with the events as they are stored. */
export interface Recorder {
  (...bodies: readonly EventBody[]): Promise<readonly AuditEvent[]>;
  /** The same recorder for what follows from that event: it is their `parent`. */
  readonly under: (event: { readonly seq: number } | undefined) => Recorder;
  /** In one append: events of other subjects, and then this one's. */
  readonly all: (
    first: readonly NewEvent[],
    ...bodies: readonly EventBody[]
  ) => Promise<readonly AuditEvent[]>;
}

/** A recorder for one subject: every event it writes carries the same run, step, agent, actor and parent. */
export function recorder(journal: Journal, context: EventContext): Recorder {
  const ours = (bodies: readonly EventBody[]): readonly NewEvent[] =>
    bodies.map((body) => ({ ...context, ...body }));
  const record = (...bodies: readonly EventBody[]) => journal.append(ours(bodies));
  return Object.assign(record, {
    under: (event: { readonly seq: number } | undefined) =>
      event === undefined
        ? recorder(journal, context)
        : recorder(journal, { ...context, parent: event.seq }),
    all: (first: readonly NewEvent[], ...bodies: readonly EventBody[]) =>
      journal.append([...first, ...ours(bodies)]),
  });
}
