import type { AuditFilter } from "../protocol/control.js";
import type { StoreReader } from "../store/reader.js";

const PAGE = 1_000;

/**
 * All events that match, oldest first, one JSON object a line with its line break. `limit` and `reverse` of the filter do not count:
 * an export is whole. Reads page by page, so that memory stays flat.
 */
export function* exportEvents(reader: StoreReader, filter: AuditFilter): Iterable<string> {
  let after = filter.after_seq;
  for (;;) {
    const page = reader.events({ ...filter, after_seq: after, limit: PAGE, reverse: false });
    for (const event of page) {
      yield `${JSON.stringify(event)}\n`;
      after = event.seq;
    }
    if (page.length < PAGE) return;
  }
}
