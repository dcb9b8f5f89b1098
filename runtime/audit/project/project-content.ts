import type { Database } from "../../store/open.js";
import { type Handlers, illegal } from "./handler.js";

/** What the tables keep of a run, in an order in which nothing refers to what is gone. */
const OF_RUN = [
  "DELETE FROM tokens WHERE agent_id IN (SELECT agent_id FROM agents WHERE run_id = ?)",
  "DELETE FROM mailbox WHERE agent_id IN (SELECT agent_id FROM agents WHERE run_id = ?)",
  "DELETE FROM approvals WHERE run_id = ?",
  "DELETE FROM agents WHERE run_id = ?",
  "DELETE FROM steps WHERE run_id = ?",
  "DELETE FROM runs WHERE run_id = ?",
] as const;

/**
 * Erasure: the content of the events in a range goes, with its salt; their envelopes and digests stay, so that the chain still
 * verifies, and this event says that it was done on purpose. With a `run_id`, only that run's, which has to have ended, with what the
 * tables hold of it; but not what an agent remembers of it: a memory outlives its run and is erased by itself.
 */
export function contentHandlers(db: Database): Handlers<"content_erased"> {
  const all = db.prepare(
    "UPDATE events SET payload = NULL, salt = NULL WHERE seq BETWEEN ? AND ? AND kind <> 'content_erased'",
  );
  const ofRun = db.prepare(
    `UPDATE events SET payload = NULL, salt = NULL
     WHERE run_id = ? AND seq BETWEEN ? AND ? AND kind NOT IN
       ('content_erased', 'memory_stored', 'memory_queried', 'memory_deleted')`,
  );
  const goesOn = db.prepare("SELECT 1 FROM runs WHERE run_id = ? AND ended_at IS NULL");
  const tables = OF_RUN.map((sql) => db.prepare(sql));
  return {
    content_erased: ({ first_seq, last_seq, seq, run_id }) => {
      if (last_seq >= seq || first_seq > last_seq)
        throw illegal(`events ${first_seq} to ${last_seq} cannot be erased by event ${seq}`);
      if (run_id === undefined) {
        all.run(first_seq, last_seq);
        return;
      }
      if (goesOn.get(run_id) !== undefined)
        throw illegal(`run ${run_id} goes on: it cannot be erased`);
      ofRun.run(run_id, first_seq, last_seq);
      for (const table of tables) table.run(run_id);
    },
  };
}
