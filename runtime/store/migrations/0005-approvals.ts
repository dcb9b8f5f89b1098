/** What an operator is asked in full. `input` is the call's arguments as JSON text; `expires_at` is RFC 3339. */
export const APPROVALS = {
  version: 5,
  breaking: false,
  sql: `
ALTER TABLE approvals ADD COLUMN subject TEXT NOT NULL DEFAULT 'tool';
ALTER TABLE approvals ADD COLUMN call_id TEXT;
ALTER TABLE approvals ADD COLUMN requested_seq INTEGER NOT NULL DEFAULT 0;
ALTER TABLE approvals ADD COLUMN expires_at TEXT NOT NULL DEFAULT '';
ALTER TABLE approvals ADD COLUMN input TEXT NOT NULL DEFAULT 'null';
CREATE INDEX approvals_waiting ON approvals (expires_at) WHERE state = 'pending';
`,
} as const;
