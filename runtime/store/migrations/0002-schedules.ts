/** What is to be done by the clock: projections of the `schedule_` events. `due` and `target` are JSON. */
export const SCHEDULES = {
  version: 2,
  breaking: false,
  sql: `
CREATE TABLE schedules (
  schedule_id TEXT PRIMARY KEY,
  added_seq INTEGER NOT NULL UNIQUE,
  owner_uid INTEGER,
  added_at TEXT NOT NULL,
  next_at TEXT,
  last_at TEXT,
  last_run_id TEXT,
  last_problem TEXT,
  times_fired INTEGER NOT NULL DEFAULT 0,
  removed_at TEXT,
  due TEXT NOT NULL,
  target TEXT NOT NULL
) STRICT;
CREATE INDEX schedules_due ON schedules (next_at) WHERE next_at IS NOT NULL;
`,
} as const;
