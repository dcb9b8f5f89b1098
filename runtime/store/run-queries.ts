import type { RunSummary, StepSummary } from "../protocol/control.js";
import type { Plan } from "../protocol/plan.js";
import type { RunRequest } from "../protocol/run.js";
import { exactAlone } from "./exact-alone.js";
import type { Database } from "./open.js";
import type { RunDetail } from "./reader.js";

interface RunRow {
  readonly run_id: string;
  readonly goal: string;
  readonly state: RunSummary["state"];
  readonly owner_uid: number | null;
  readonly submitted_at: string;
  readonly ended_at: string | null;
  readonly steps_total: number;
  readonly steps_done: number;
  readonly input_tokens: number;
  readonly output_tokens: number;
  readonly usd: number;
  readonly recoveries: number;
  readonly paused: string | null;
}

interface RunDetailRow extends RunRow {
  readonly request: string;
  readonly plan: string | null;
  readonly final_output: string | null;
  readonly final_text: string | null;
  readonly documents: string;
  readonly error_kind: string | null;
  readonly error_message: string | null;
}

interface StepRow {
  readonly step_id: string;
  readonly role: string;
  readonly state: StepSummary["state"];
  readonly depends_on: string;
  readonly agent_id: string | null;
  readonly model: string | null;
  readonly started_at: string | null;
  readonly ended_at: string | null;
  readonly input_tokens: number;
  readonly output_tokens: number;
  readonly usd: number;
  readonly error: string | null;
  readonly outputs: string;
}

const SUMMARY = `run_id, goal, state, owner_uid, submitted_at, ended_at, input_tokens, output_tokens, usd, recoveries, paused,
  (SELECT count(*) FROM steps s WHERE s.run_id = r.run_id) AS steps_total,
  (SELECT count(*) FROM steps s WHERE s.run_id = r.run_id AND s.state = 'succeeded') AS steps_done`;

/** Runs and their steps. `steps_done` counts those that succeeded. */
export function runQueries(db: Database): {
  readonly runs: (options: { readonly all: boolean }) => readonly RunSummary[];
  readonly run: (runId: string) => RunDetail | undefined;
  readonly runsEndedBefore: (time: string, limit: number) => readonly string[];
  readonly matchRun: (query: string) => readonly string[];
  readonly ownerOf: (runId: string) => number | null | undefined;
} {
  const all = db.prepare<[], RunRow>(`SELECT ${SUMMARY} FROM runs r ORDER BY submitted_seq DESC`);
  const current = db.prepare<[], RunRow>(
    `SELECT ${SUMMARY} FROM runs r WHERE ended_at IS NULL ORDER BY submitted_seq DESC`,
  );
  const one = db.prepare<[string], RunDetailRow>(
    `SELECT ${SUMMARY}, request, plan, final_output, final_text, documents, error_kind, error_message
     FROM runs r WHERE run_id = ?`,
  );
  const steps = db.prepare<[string], StepRow>(
    `SELECT *, (SELECT json_group_array(path ORDER BY position) FROM outputs o
       WHERE o.run_id = s.run_id AND o.step_id = s.step_id) AS outputs
     FROM steps s WHERE run_id = ? ORDER BY position, step_id`,
  );
  const lastSeq = db.prepare<[string], { seq: number | null }>(
    "SELECT max(seq) AS seq FROM events WHERE run_id = ?",
  );
  const endedBefore = db.prepare<[string, number], { run_id: string }>(
    `SELECT run_id FROM runs r WHERE ended_at < ?
       AND NOT EXISTS (SELECT 1 FROM agents a WHERE a.run_id = r.run_id AND a.ended_at IS NULL)
     ORDER BY submitted_seq LIMIT ?`,
  );
  const match = db.prepare<[{ query: string }], { run_id: string }>(
    `SELECT run_id FROM runs WHERE substr(run_id, 1, length(@query)) = @query
       OR substr(run_id, -length(@query)) = @query ORDER BY run_id = @query DESC, submitted_seq DESC`,
  );
  const owner = db.prepare<[string], { owner_uid: number | null }>(
    "SELECT owner_uid FROM runs WHERE run_id = ?",
  );
  return {
    ownerOf: (runId) => owner.get(runId)?.owner_uid,
    runs: (options) => (options.all ? all : current).all().map(toSummary),
    run: (runId) => {
      const row = one.get(runId);
      if (row === undefined) return undefined;
      return toDetail(row, steps.all(runId).map(toStep), lastSeq.get(runId)?.seq ?? 0);
    },
    runsEndedBefore: (time, limit) => endedBefore.all(time, limit).map((row) => row.run_id),
    matchRun: (query) =>
      exactAlone(
        match.all({ query: query.toUpperCase() }).map((r) => r.run_id),
        query,
      ),
  };
}

function toSummary(row: RunRow): RunSummary {
  return {
    run_id: row.run_id,
    goal: row.goal,
    state: row.state,
    owner_uid: row.owner_uid,
    submitted_at: row.submitted_at,
    ended_at: row.ended_at,
    steps_total: row.steps_total,
    steps_done: row.steps_done,
    usage: usageOf(row),
    recoveries: row.recoveries,
    paused: row.paused,
  };
}

function toDetail(row: RunDetailRow, steps: readonly StepSummary[], lastSeq: number): RunDetail {
  return {
    ...toSummary(row),
    request: JSON.parse(row.request) as RunRequest,
    plan: row.plan === null ? null : (JSON.parse(row.plan) as Plan),
    steps,
    final_output: row.final_output,
    final_text: row.final_text,
    documents: JSON.parse(row.documents) as string[],
    error:
      row.error_kind === null ? null : { kind: row.error_kind, message: row.error_message ?? "" },
    last_seq: lastSeq,
  };
}

function toStep(row: StepRow): StepSummary {
  return {
    step_id: row.step_id,
    role: row.role,
    state: row.state,
    depends_on: JSON.parse(row.depends_on) as string[],
    agent_id: row.agent_id,
    model: row.model,
    started_at: row.started_at,
    ended_at: row.ended_at,
    usage: usageOf(row),
    outputs: JSON.parse(row.outputs) as string[],
    error: row.error,
  };
}

export function usageOf(row: {
  readonly input_tokens: number;
  readonly output_tokens: number;
  readonly usd: number;
}): RunSummary["usage"] {
  return { input_tokens: row.input_tokens, output_tokens: row.output_tokens, usd: row.usd };
}
