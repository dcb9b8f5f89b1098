import type { AgentSummary } from "../protocol/control.js";
import { Manifest } from "../protocol/manifest.js";
import type { Token } from "../protocol/token.js";
import { exactAlone } from "./exact-alone.js";
import type { Database } from "./open.js";
import type { AgentDetail } from "./reader.js";
import { usageOf } from "./run-queries.js";

interface AgentRow {
  readonly agent_id: string;
  readonly run_id: string | null;
  readonly step_id: string | null;
  readonly name: string;
  readonly model: string;
  readonly state: AgentSummary["state"];
  readonly capability_count: number;
  readonly started_at: string;
  readonly ended_at: string | null;
  readonly parent_agent: string | null;
  readonly lifecycle: AgentSummary["lifecycle"];
  readonly owner_uid: number | null;
  readonly mailbox: number;
  readonly input_tokens: number;
  readonly output_tokens: number;
  readonly usd: number;
}

interface TokenRow {
  readonly token_id: string;
  readonly agent_id: string;
  readonly parent_id: string | null;
  readonly capability: string;
  readonly max_invocations: number | null;
  readonly rate_limit: string | null;
  readonly issued_at: number;
  readonly expires_at: number | null;
  readonly revoked_at: number | null;
  readonly uses: number;
}

const SUMMARY = `agent_id, run_id, step_id, name, model, state, started_at, ended_at, parent_agent, lifecycle, owner_uid,
  input_tokens, output_tokens, usd,
  (SELECT count(*) FROM tokens t WHERE t.agent_id = a.agent_id AND t.revoked_at IS NULL) AS capability_count,
  (SELECT count(*) FROM mailbox m WHERE m.agent_id = a.agent_id) AS mailbox`;

/** A message that waits for its agent. */
interface MailRow {
  readonly trace_id: string;
  readonly method: string;
  readonly sender: string;
  readonly text: string;
}

/** Agents and the tokens they were given. `capability_count` counts those not revoked. */
export function agentQueries(db: Database): {
  readonly agents: (options: { readonly all: boolean }) => readonly AgentSummary[];
  readonly agent: (agentId: string) => AgentDetail | undefined;
  readonly matchAgent: (query: string) => readonly string[];
  readonly mail: (agentId: string) => readonly MailRow[];
  readonly manifestOf: (agentId: string) => Manifest | undefined;
} {
  const all = db.prepare<[], AgentRow>(`SELECT ${SUMMARY} FROM agents a ORDER BY spawned_seq DESC`);
  const current = db.prepare<[], AgentRow>(
    `SELECT ${SUMMARY} FROM agents a WHERE ended_at IS NULL ORDER BY spawned_seq DESC`,
  );
  const one = db.prepare<[string], AgentRow>(`SELECT ${SUMMARY} FROM agents a WHERE agent_id = ?`);
  const tokens = db.prepare<[string], TokenRow>(
    "SELECT * FROM tokens WHERE agent_id = ? ORDER BY issued_at, token_id",
  );
  const match = db.prepare<[{ query: string }], { agent_id: string }>(
    `SELECT agent_id FROM agents WHERE substr(agent_id, 1, length(@query)) = @query
       OR substr(agent_id, -length(@query)) = @query ORDER BY agent_id = @query DESC, spawned_seq DESC`,
  );
  const mail = db.prepare<[string], MailRow>(
    "SELECT trace_id, method, sender, text FROM mailbox WHERE agent_id = ? ORDER BY received_seq",
  );
  const manifest = db.prepare<[string], { manifest: string | null }>(
    "SELECT manifest FROM agents WHERE agent_id = ?",
  );
  return {
    mail: (agentId) => mail.all(agentId),
    manifestOf: (agentId) => {
      const text = manifest.get(agentId)?.manifest ?? undefined;
      return text === undefined ? undefined : Manifest.parse(JSON.parse(text));
    },
    agents: (options) => (options.all ? all : current).all().map(toSummary),
    agent: (agentId) => {
      const row = one.get(agentId);
      if (row === undefined) return undefined;
      return { ...toSummary(row), tokens: tokens.all(agentId).map(toToken) };
    },
    matchAgent: (query) =>
      exactAlone(
        match.all({ query: query.toUpperCase() }).map((r) => r.agent_id),
        query,
      ),
  };
}

function toSummary(row: AgentRow): AgentSummary {
  return {
    agent_id: row.agent_id,
    run_id: row.run_id,
    step_id: row.step_id,
    name: row.name,
    model: row.model,
    state: row.state,
    capability_count: row.capability_count,
    started_at: row.started_at,
    ended_at: row.ended_at,
    parent_agent: row.parent_agent,
    lifecycle: row.lifecycle,
    owner_uid: row.owner_uid,
    mailbox: row.mailbox,
    usage: usageOf(row),
  };
}

function toToken(row: TokenRow): AgentDetail["tokens"][number] {
  return {
    id: row.token_id as Token["id"],
    agent_id: row.agent_id as Token["agent_id"],
    parent_id: row.parent_id as Token["parent_id"],
    capability: JSON.parse(row.capability) as Token["capability"],
    max_invocations: row.max_invocations,
    rate_limit:
      row.rate_limit === null ? null : (JSON.parse(row.rate_limit) as Token["rate_limit"]),
    issued_at: row.issued_at,
    expires_at: row.expires_at,
    revoked_at: row.revoked_at,
    uses: row.uses,
  };
}
