import { AgentdError } from "../protocol/agentd-error.js";
import type { AuditFilter } from "../protocol/control.js";
import type { EventBodyOf, EventEnvelope, EventKind } from "../protocol/event.js";
import type { StoreReader } from "../store/reader.js";

const PAGE = 500;

/** A stored event of one of these kinds. */
export type StoredEvent<K extends EventKind> = Omit<EventEnvelope, "kind"> & EventBodyOf<K>;

/** Every event of these kinds that matches, oldest first, a page at a time. Throws `run_failed` at one whose content was erased. */
export function* readEvents<K extends EventKind>(
  reader: Pick<StoreReader, "events">,
  kinds: readonly K[],
  filter: Pick<AuditFilter, "run_id" | "agent_id" | "since">,
): Generator<StoredEvent<K>> {
  const kind = [...kinds];
  let after = 0;
  for (;;) {
    const page = reader.events({ ...filter, kind, after_seq: after, limit: PAGE, reverse: false });
    for (const event of page) {
      after = event.seq;
      if ("erased" in event)
        throw new AgentdError("run_failed", "read journal", `event ${event.seq} was erased`, {
          hint: "What was erased cannot be gone on from; submit the goal again.",
        });
      // The filter lets no other kind through, which the compiler cannot follow.
      yield event as StoredEvent<K>;
    }
    if (page.length < PAGE) return;
  }
}
