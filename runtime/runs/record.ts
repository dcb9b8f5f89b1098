import type { Journal } from "../audit/journal.js";
import type { EventBody, EventContext } from "../protocol/event.js";

/** Write what happened, durably, all or nothing; resolves when it is. */
export type Recorder = (...bodies: readonly EventBody[]) => Promise<void>;

/** A recorder for one subject: every event it writes carries the same run, step, agent and actor. */
export function recorder(journal: Journal, context: EventContext): Recorder {
  return async (...bodies) => {
    await journal.append(bodies.map((body) => ({ ...context, ...body })));
  };
}
