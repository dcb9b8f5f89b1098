/**
 * The journal, and the tables that are projections of it. Times are RFC 3339 in UTC, except in `tokens`, which holds milliseconds
 * since the epoch as `protocol/token.ts` does. Columns that hold lists or objects are JSON. `payload` and `salt` of an erased
 * event are NULL. Columns go from what is read most to what is largest, so that a scan never touches overflow pages.
 */
export const INITIAL = {
  version: 1,
  breaking: true,
  sql: `
CREATE TABLE events (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL,
  time TEXT NOT NULL,
  run_id TEXT,
  step_id TEXT,
  agent_id TEXT,
  parent INTEGER,
  actor TEXT NOT NULL,
  kind TEXT NOT NULL,
  payload_digest TEXT NOT NULL,
  prev_hash TEXT NOT NULL,
  hash TEXT NOT NULL,
  salt TEXT,
  payload TEXT
) STRICT;
CREATE INDEX events_by_run ON events (run_id) WHERE run_id IS NOT NULL;
CREATE INDEX events_by_agent ON events (agent_id) WHERE agent_id IS NOT NULL;
CREATE INDEX events_by_kind ON events (kind);
CREATE INDEX events_by_time ON events (time);

CREATE TABLE runs (
  run_id TEXT PRIMARY KEY,
  submitted_seq INTEGER NOT NULL UNIQUE,
  state TEXT NOT NULL,
  owner_uid INTEGER,
  submitted_at TEXT NOT NULL,
  ended_at TEXT,
  mode TEXT,
  replans_used INTEGER NOT NULL DEFAULT 0,
  input_tokens INTEGER NOT NULL DEFAULT 0,
  output_tokens INTEGER NOT NULL DEFAULT 0,
  usd REAL NOT NULL DEFAULT 0,
  error_kind TEXT,
  error_message TEXT,
  final_output TEXT,
  documents TEXT NOT NULL DEFAULT '[]',
  goal TEXT NOT NULL,
  request TEXT NOT NULL,
  plan TEXT,
  final_text TEXT
) STRICT;
CREATE INDEX runs_not_ended ON runs (submitted_seq) WHERE ended_at IS NULL;

CREATE TABLE steps (
  run_id TEXT NOT NULL REFERENCES runs,
  step_id TEXT NOT NULL,
  position INTEGER NOT NULL,
  state TEXT NOT NULL,
  role TEXT NOT NULL,
  agent_id TEXT,
  model TEXT,
  attempt INTEGER NOT NULL DEFAULT 0,
  started_at TEXT,
  ended_at TEXT,
  input_tokens INTEGER NOT NULL DEFAULT 0,
  output_tokens INTEGER NOT NULL DEFAULT 0,
  usd REAL NOT NULL DEFAULT 0,
  depends_on TEXT NOT NULL,
  error TEXT,
  text TEXT,
  PRIMARY KEY (run_id, step_id)
) STRICT;

CREATE TABLE outputs (
  run_id TEXT NOT NULL,
  step_id TEXT NOT NULL,
  position INTEGER NOT NULL,
  path TEXT NOT NULL,
  PRIMARY KEY (run_id, step_id, position),
  FOREIGN KEY (run_id, step_id) REFERENCES steps ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE TABLE agents (
  agent_id TEXT PRIMARY KEY,
  spawned_seq INTEGER NOT NULL UNIQUE,
  run_id TEXT REFERENCES runs,
  step_id TEXT,
  parent_agent TEXT REFERENCES agents,
  name TEXT NOT NULL,
  model TEXT NOT NULL,
  state TEXT NOT NULL,
  started_at TEXT NOT NULL,
  ended_at TEXT,
  stop_reason TEXT,
  stop_message TEXT,
  input_tokens INTEGER NOT NULL DEFAULT 0,
  output_tokens INTEGER NOT NULL DEFAULT 0,
  usd REAL NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX agents_not_ended ON agents (spawned_seq) WHERE ended_at IS NULL;
CREATE INDEX agents_by_run ON agents (run_id);
CREATE INDEX agents_by_parent ON agents (parent_agent);

CREATE TABLE tokens (
  token_id TEXT PRIMARY KEY,
  agent_id TEXT NOT NULL REFERENCES agents,
  parent_id TEXT REFERENCES tokens,
  capability TEXT NOT NULL,
  max_invocations INTEGER,
  rate_limit TEXT,
  issued_at INTEGER NOT NULL,
  expires_at INTEGER,
  revoked_at INTEGER,
  uses INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE INDEX tokens_by_agent ON tokens (agent_id);
CREATE INDEX tokens_by_parent ON tokens (parent_id);

CREATE TABLE approvals (
  approval_id TEXT PRIMARY KEY,
  run_id TEXT REFERENCES runs,
  step_id TEXT,
  agent_id TEXT,
  state TEXT NOT NULL,
  tool TEXT NOT NULL,
  capability TEXT,
  description TEXT NOT NULL,
  requested_at TEXT NOT NULL,
  settled_at TEXT,
  settled_by TEXT,
  scope TEXT,
  reason TEXT
) STRICT;
CREATE INDEX approvals_pending ON approvals (run_id) WHERE state = 'pending';
`,
} as const;
