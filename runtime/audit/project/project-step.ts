import { type StepState, transitionStep } from "../../protocol/step.js";
import type { Database } from "../../store/open.js";
import { canonicalJson } from "../chain.js";
import { type Handlers, illegal, needed, unknownId } from "./handler.js";

type StepKinds =
  | "plan_produced"
  | "step_state_changed"
  | "subtask_started"
  | "subtask_completed"
  | "subtask_model_escalated";

/** A plan's steps: made by the plan, replaced by the next one unless they are kept, moved and filled in as they are carried out. */
export function stepHandlers(db: Database): Handlers<StepKinds> {
  const stateOf = stepState(db);
  const move = db.prepare("UPDATE steps SET state = ? WHERE run_id = ? AND step_id = ?");
  const begin = db.prepare(
    "UPDATE steps SET started_at = coalesce(started_at, ?) WHERE run_id = ? AND step_id = ?",
  );
  const end = db.prepare(
    "UPDATE steps SET ended_at = ?, error = coalesce(error, ?) WHERE run_id = ? AND step_id = ?",
  );
  const started = db.prepare(
    `UPDATE steps SET role = ?, model = coalesce(?, model), attempt = ?, agent_id = coalesce(?, agent_id),
       error = NULL, text = NULL WHERE run_id = ? AND step_id = ?`,
  );
  const completed = completion(db);
  const model = db.prepare("UPDATE steps SET model = ? WHERE run_id = ? AND step_id = ?");

  return {
    plan_produced: planProjection(db),
    step_state_changed: (event) => {
      const runId = needed(event.run_id, "run_id", event.kind);
      const stepId = event.subtask_id;
      const state = stateOf(runId, stepId);
      const next = transitionStep(state, event.move);
      if (state !== event.from || next === undefined || next !== event.to)
        throw illegal(
          `step ${stepId} is ${state}: '${event.move}' from ${event.from} to ${event.to} is no legal move`,
        );
      move.run(next, runId, stepId);
      if (next === "running") begin.run(event.time, runId, stepId);
      else {
        const error = next === "succeeded" ? null : (event.reason ?? null);
        end.run(event.time, error, runId, stepId);
      }
    },
    subtask_started: (event) => {
      const runId = needed(event.run_id, "run_id", event.kind);
      stateOf(runId, event.subtask_id);
      const { role, model: started_model, attempt, agent_id } = event;
      started.run(role, started_model ?? null, attempt, agent_id ?? null, runId, event.subtask_id);
      begin.run(event.time, runId, event.subtask_id);
    },
    subtask_completed: (event) => {
      const runId = needed(event.run_id, "run_id", event.kind);
      stateOf(runId, event.subtask_id);
      const error = event.success ? null : (event.error ?? event.reason ?? "failed");
      completed(runId, event.subtask_id, event.text ?? null, error, event.outputs);
    },
    subtask_model_escalated: (event) => {
      const runId = needed(event.run_id, "run_id", event.kind);
      stateOf(runId, event.subtask_id);
      model.run(event.to_model, runId, event.subtask_id);
    },
  };
}

/** The state of a step that must exist. */
function stepState(db: Database): (runId: string, stepId: string) => StepState {
  const select = db.prepare<[string, string], { state: StepState }>(
    "SELECT state FROM steps WHERE run_id = ? AND step_id = ?",
  );
  return (runId, stepId) => {
    const row = select.get(runId, stepId);
    if (row === undefined) throw unknownId(`step of run ${runId} named`, stepId);
    return row.state;
  };
}

/** A later attempt's outputs take the place of an earlier one's. */
function completion(
  db: Database,
): (
  runId: string,
  stepId: string,
  text: string | null,
  error: string | null,
  outputs: readonly string[],
) => void {
  const update = db.prepare(
    "UPDATE steps SET text = ?, error = ? WHERE run_id = ? AND step_id = ?",
  );
  const forget = db.prepare("DELETE FROM outputs WHERE run_id = ? AND step_id = ?");
  const insert = db.prepare(
    "INSERT INTO outputs (run_id, step_id, position, path) VALUES (?, ?, ?, ?)",
  );
  return (runId, stepId, text, error, outputs) => {
    update.run(text, error, runId, stepId);
    forget.run(runId, stepId);
    for (const [position, path] of outputs.entries()) insert.run(runId, stepId, position, path);
  };
}

/** Steps that succeeded stay as they are, unless the plan has them made again; all others give way to the plan's. */
function planProjection(db: Database): Handlers<"plan_produced">["plan_produced"] {
  const setPlan = db.prepare("UPDATE runs SET plan = ?, replans_used = ? WHERE run_id = ?");
  const clear = db.prepare(
    `DELETE FROM steps WHERE run_id = ? AND (state <> 'succeeded'
       OR step_id IN (SELECT value FROM json_each(?)))`,
  );
  const upsert = db.prepare(
    `INSERT INTO steps (run_id, step_id, position, state, role, depends_on)
     VALUES (?, ?, ?, 'waiting', ?, ?)
     ON CONFLICT (run_id, step_id) DO UPDATE SET position = excluded.position`,
  );
  return (event) => {
    const runId = needed(event.run_id, "run_id", event.kind);
    setPlan.run(canonicalJson(event.plan), event.replans_used, runId);
    const kept: ReadonlySet<string> = new Set(event.kept);
    const anew = event.plan.steps.map(({ id }) => id).filter((id) => !kept.has(id));
    clear.run(runId, JSON.stringify(anew));
    for (const [position, step] of event.plan.steps.entries())
      upsert.run(runId, step.id, position, step.role, JSON.stringify(step.depends_on));
  };
}
