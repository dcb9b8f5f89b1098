import type { Database } from "../../store/open.js";
import { type Handlers, illegal } from "./handler.js";

/**
 * Erasure: the content of the events in a range goes, with its salt; their envelopes and digests stay, so that the chain still
 * verifies, and this event says that it was done on purpose. With a `run_id`, only that run's, but not what an agent remembers of
 * it: a memory outlives its run and is erased by itself.
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
  return {
    content_erased: ({ first_seq, last_seq, seq, run_id }) => {
      if (last_seq >= seq || first_seq > last_seq)
        throw illegal(`events ${first_seq} to ${last_seq} cannot be erased by event ${seq}`);
      if (run_id === undefined) all.run(first_seq, last_seq);
      else ofRun.run(run_id, first_seq, last_seq);
    },
  };
}
