import type { Journal } from "../audit/journal.js";
import type { AuditEvent, EventBody, EventContext } from "../protocol/event.js";

/** Write what happened, durably, all or nothing; resolves when it is, with the events as they are stored. */
export interface Recorder {
  (...bodies: readonly EventBody[]): Promise<readonly AuditEvent[]>;
  /** The same recorder for what follows from that event: it is their `parent`. */
  readonly under: (event: { readonly seq: number } | undefined) => Recorder;
}

/** A recorder for one subject: every event it writes carries the same run, step, agent, actor and parent. */
export function recorder(journal: Journal, context: EventContext): Recorder {
  const record = (...bodies: readonly EventBody[]) =>
    journal.append(bodies.map((body) => ({ ...context, ...body })));
  return Object.assign(record, {
    under: (event: { readonly seq: number } | undefined) =>
      event === undefined
        ? recorder(journal, context)
        : recorder(journal, { ...context, parent: event.seq }),
  });
}
