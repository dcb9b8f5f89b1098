import type { Database } from "../../store/open.js";
import { type EventOf, type Handlers, illegal, unknownId } from "./handler.js";

type Settlement = EventOf<"human_approval_granted"> | EventOf<"human_approval_denied">;

/** The table `approvals`: requested, then granted or denied, once. */
export function approvalHandlers(
  db: Database,
): Handlers<"human_approval_requested" | "human_approval_granted" | "human_approval_denied"> {
  const select = db.prepare<[string], { state: string }>(
    "SELECT state FROM approvals WHERE approval_id = ?",
  );
  const insert = db.prepare(
    `INSERT INTO approvals (approval_id, run_id, step_id, agent_id, state, tool, capability, description, requested_at,
       subject, call_id, requested_seq, expires_at, input)
     VALUES (?, ?, ?, ?, 'pending', ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const update = db.prepare(
    "UPDATE approvals SET state = ?, settled_at = ?, settled_by = ?, scope = ?, reason = ? WHERE approval_id = ?",
  );
  const settle = (event: Settlement, to: "granted" | "denied"): void => {
    const state = select.get(event.approval_id)?.state;
    if (state === undefined) throw unknownId("approval", event.approval_id);
    if (state !== "pending") throw illegal(`approval ${event.approval_id} was ${state} before`);
    const scope = "scope" in event ? event.scope : null;
    const reason = "reason" in event ? event.reason : null;
    update.run(to, event.time, event.actor, scope, reason, event.approval_id);
  };

  return {
    human_approval_requested: (event) => {
      const { approval_id, run_id, step_id, agent_id, tool, capability, description, time } = event;
      const { subject, call_id, seq, expires_at, input } = event;
      if (select.get(approval_id) !== undefined)
        throw illegal(`approval ${approval_id} was requested before`);
      insert.run(
        approval_id,
        run_id ?? null,
        step_id ?? null,
        agent_id ?? null,
        tool,
        capability ?? null,
        description,
        time,
        subject,
        call_id ?? null,
        seq,
        expires_at,
        input,
      );
    },
    human_approval_granted: (event) => {
      settle(event, "granted");
    },
    human_approval_denied: (event) => {
      settle(event, "denied");
    },
  };
}
