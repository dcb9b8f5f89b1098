import type { Database } from "../../store/open.js";
import { canonicalJson } from "../chain.js";
import { type EventOf, type Handlers, illegal, unknownId } from "./handler.js";

type Due = EventOf<"schedule_fired"> | EventOf<"schedule_skipped">;

/** The table `schedules`: added, due any number of times, removed. */
export function scheduleHandlers(
  db: Database,
): Handlers<"schedule_added" | "schedule_fired" | "schedule_skipped" | "schedule_removed"> {
  const select = db.prepare<[string], { removed_at: string | null }>(
    "SELECT removed_at FROM schedules WHERE schedule_id = ?",
  );
  const insert = db.prepare(
    `INSERT INTO schedules (schedule_id, added_seq, owner_uid, added_at, next_at, due, target)
     VALUES (?, ?, ?, ?, ?, ?, ?)`,
  );
  const fire = db.prepare(
    `UPDATE schedules SET last_at = ?, next_at = ?, last_run_id = ?, last_problem = NULL,
       times_fired = times_fired + 1 WHERE schedule_id = ?`,
  );
  const skip = db.prepare(
    "UPDATE schedules SET last_at = ?, next_at = ?, last_problem = ? WHERE schedule_id = ?",
  );
  const remove = db.prepare(
    "UPDATE schedules SET removed_at = ?, next_at = NULL WHERE schedule_id = ?",
  );
  const standing = (id: string): void => {
    const row = select.get(id);
    if (row === undefined) throw unknownId("schedule", id);
    if (row.removed_at !== null) throw illegal(`schedule ${id} was removed before`);
  };
  const ofDue = (event: Due): readonly [string, string | null] => {
    standing(event.schedule_id);
    return [event.due_at, event.next_at];
  };

  return {
    schedule_added: ({ schedule_id, seq, owner_uid, time, next_at, when, target }) => {
      if (select.get(schedule_id) !== undefined)
        throw illegal(`schedule ${schedule_id} was added before`);
      const due = canonicalJson(when);
      insert.run(schedule_id, seq, owner_uid, time, next_at, due, canonicalJson(target));
    },
    schedule_fired: (event) => {
      fire.run(...ofDue(event), event.started_run ?? null, event.schedule_id);
    },
    schedule_skipped: (event) => {
      skip.run(...ofDue(event), event.reason, event.schedule_id);
    },
    schedule_removed: ({ schedule_id, time }) => {
      standing(schedule_id);
      remove.run(time, schedule_id);
    },
  };
}
