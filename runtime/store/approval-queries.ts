import type { ApprovalSummary } from "../protocol/approval.js";
import type { Json } from "../protocol/json.js";
import { exactAlone } from "./exact-alone.js";
import type { Database } from "./open.js";
import type { ApprovalDetail, ApprovalQuery } from "./reader.js";

type ApprovalRow = Omit<ApprovalSummary, "id" | "input" | "timestamp"> & {
  readonly approval_id: string;
  readonly input: string;
  readonly requested_at: string;
  readonly requested_seq: number;
  readonly call_id: string | null;
};

const SELECT = `SELECT approval_id, p.run_id, p.step_id, p.agent_id, a.name AS agent_name, subject, p.state, description, tool, input,
  capability, requested_at, requested_seq, call_id, expires_at, settled_at, settled_by, scope, reason
  FROM approvals p LEFT JOIN agents a ON a.agent_id = p.agent_id`;

/** What operators were asked, in the order of asking. */
export function approvalQueries(db: Database): {
  readonly approvals: (query: ApprovalQuery) => readonly ApprovalDetail[];
  readonly approval: (approvalId: string) => ApprovalDetail | undefined;
  readonly matchApproval: (query: string) => readonly string[];
} {
  const pending = db.prepare<[], ApprovalRow>(
    `${SELECT} WHERE p.state = 'pending' ORDER BY requested_seq, approval_id`,
  );
  const ofRun = db.prepare<[string], ApprovalRow>(
    `${SELECT} WHERE p.run_id = ? ORDER BY requested_seq, approval_id`,
  );
  const ofAgent = db.prepare<[string], ApprovalRow>(
    `${SELECT} WHERE p.agent_id = ? ORDER BY requested_seq, approval_id`,
  );
  const one = db.prepare<[string], ApprovalRow>(`${SELECT} WHERE approval_id = ?`);
  const match = db.prepare<[{ query: string }], { approval_id: string }>(
    `SELECT approval_id FROM approvals WHERE substr(approval_id, 1, length(@query)) = @query
       OR substr(approval_id, -length(@query)) = @query
     ORDER BY approval_id = @query DESC, state = 'pending' DESC, requested_seq DESC`,
  );
  const rowsOf = (query: ApprovalQuery): readonly ApprovalRow[] => {
    if (query.agent_id !== undefined) return ofAgent.all(query.agent_id);
    return query.run_id === undefined ? pending.all() : ofRun.all(query.run_id);
  };
  return {
    approvals: (query) => rowsOf(query).map(toDetail),
    approval: (id) => {
      const row = one.get(id);
      return row === undefined ? undefined : toDetail(row);
    },
    matchApproval: (query) =>
      exactAlone(
        match.all({ query: query.toUpperCase() }).map((row) => row.approval_id),
        query,
      ),
  };
}

function toDetail({ approval_id, input, requested_at, ...row }: ApprovalRow): ApprovalDetail {
  return { ...row, id: approval_id, input: jsonOf(input), timestamp: requested_at };
}

/** Arguments that were cut are no JSON: then their beginning is shown as text. */
function jsonOf(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return text;
  }
}
