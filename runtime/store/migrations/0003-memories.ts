/** What agents remember: a projection of `memory_*` events. `used_seq` is the event that stored or last found it. */
export const MEMORIES = {
  version: 3,
  breaking: false,
  sql: `
CREATE TABLE memories (
  memory_id TEXT PRIMARY KEY,
  stored_seq INTEGER NOT NULL UNIQUE,
  used_seq INTEGER NOT NULL,
  owner TEXT NOT NULL,
  category TEXT NOT NULL,
  stored_at TEXT NOT NULL,
  used_at TEXT NOT NULL,
  replaces TEXT,
  content TEXT NOT NULL
) STRICT;
CREATE INDEX memories_by_use ON memories (owner, used_seq);
`,
} as const;
