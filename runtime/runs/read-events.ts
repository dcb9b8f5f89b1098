import { AgentdError } from "../protocol/agentd-error.js";
import type { AuditFilter } from "../protocol/control.js";
import type { AuditEvent } from "../protocol/event.js";
import type { StoreReader } from "../store/reader.js";

const PAGE = 500;

/** Every event that matches, oldest first, a page at a time. Throws `run_failed` at one whose content was erased. */
export function* readEvents(
  reader: Pick<StoreReader, "events">,
  filter: Pick<AuditFilter, "run_id" | "agent_id" | "kind" | "since">,
): Generator<AuditEvent> {
  let after = 0;
  for (;;) {
    const page = reader.events({ ...filter, after_seq: after, limit: PAGE, reverse: false });
    for (const event of page) {
      after = event.seq;
      if ("erased" in event)
        throw new AgentdError("run_failed", "read journal", `event ${event.seq} was erased`, {
          hint: "What was erased cannot be gone on from; submit the goal again.",
        });
      yield event;
    }
    if (page.length < PAGE) return;
  }
}
