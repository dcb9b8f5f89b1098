import { agentQueries } from "./agent-queries.js";
import { approvalQueries } from "./approval-queries.js";
import { eventQueries } from "./event-queries.js";
import { memoryQueries } from "./memory-queries.js";
import { requireSchema } from "./migrate.js";
import { openDatabase } from "./open.js";
import type { StoreReader } from "./reader.js";
import { runQueries } from "./run-queries.js";
import { scheduleQueries } from "./schedule-queries.js";

/**
 * Reads what has been committed, on a read-only connection of its own; the caller closes it. The database must exist and be
 * migrated, which the journal does when it is opened. Throws as `openDatabase` and `requireSchema` do.
 */
export function openReader(path: string): StoreReader {
  const db = openDatabase(path, { readonly: true });
  try {
    requireSchema(db, path);
    return {
      ...runQueries(db),
      ...agentQueries(db),
      ...approvalQueries(db),
      ...eventQueries(db),
      ...memoryQueries(db),
      ...scheduleQueries(db),
      close: () => {
        db.close();
      },
    };
  } catch (thrown) {
    db.close();
    throw thrown;
  }
}
