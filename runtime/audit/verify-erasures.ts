import type { EventRow } from "../store/event-queries.js";
import type { Database } from "../store/open.js";

interface Range {
  readonly run_id: string | null;
  readonly seq: number;
  readonly first_seq: number;
  readonly last_seq: number;
}

/** Tells whether an event in the journal says that a row's content was erased on purpose. */
export function erasureCheck(db: Database): { readonly covers: (row: EventRow) => boolean } {
  const ranges = db
    .prepare<[], Range>(
      `SELECT run_id, seq, payload ->> 'first_seq' AS first_seq, payload ->> 'last_seq' AS last_seq
       FROM events WHERE kind = 'content_erased' AND json_valid(payload)`,
    )
    .all();
  return {
    covers: (row) =>
      row.kind !== "content_erased" &&
      ranges.some(
        (range) =>
          row.seq >= range.first_seq &&
          row.seq <= range.last_seq &&
          row.seq < range.seq &&
          (range.run_id === null || range.run_id === row.run_id),
      ),
  };
}
