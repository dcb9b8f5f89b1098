/** Agents that live on: how, whose they are, what they are made of (JSON), and the messages that wait for them. */
export const AGENTS = {
  version: 6,
  breaking: false,
  sql: `
ALTER TABLE agents ADD COLUMN lifecycle TEXT NOT NULL DEFAULT 'ephemeral';
ALTER TABLE agents ADD COLUMN owner_uid INTEGER;
ALTER TABLE agents ADD COLUMN manifest TEXT;

CREATE TABLE mailbox (
  received_seq INTEGER PRIMARY KEY,
  agent_id TEXT NOT NULL REFERENCES agents,
  trace_id TEXT NOT NULL,
  method TEXT NOT NULL,
  sender TEXT NOT NULL,
  text TEXT NOT NULL
) STRICT;
CREATE INDEX mailbox_by_agent ON mailbox (agent_id);
`,
} as const;
