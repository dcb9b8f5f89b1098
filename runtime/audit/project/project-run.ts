import { isRunEnded, type RunState, transitionRun } from "../../protocol/run.js";
import type { Database } from "../../store/open.js";
import { canonicalJson } from "../chain.js";
import { type EventOf, type Handlers, illegal, needed, unknownId } from "./handler.js";

/** The table `runs`: a run is submitted, moves from state to state, and has a result. */
export function runHandlers(
  db: Database,
): Handlers<
  "run_submitted" | "run_state_changed" | "run_recovered" | "run_result" | "orchestration_selected"
> {
  const exists = db.prepare<[string], { state: RunState }>(
    "SELECT state FROM runs WHERE run_id = ?",
  );
  const insert = db.prepare(
    `INSERT INTO runs (run_id, submitted_seq, state, owner_uid, submitted_at, goal, request)
     VALUES (?, ?, 'queued', ?, ?, ?, ?)`,
  );
  const move = db.prepare("UPDATE runs SET state = ?, paused = ? WHERE run_id = ?");
  const recovered = db.prepare("UPDATE runs SET recoveries = recoveries + 1 WHERE run_id = ?");
  const end = db.prepare(
    "UPDATE runs SET ended_at = ?, error_kind = ?, error_message = ? WHERE run_id = ?",
  );
  const result = db.prepare(
    "UPDATE runs SET final_output = ?, final_text = ?, documents = ? WHERE run_id = ?",
  );
  const mode = db.prepare("UPDATE runs SET mode = ? WHERE run_id = ?");

  return {
    run_submitted: (event) => {
      const runId = needed(event.run_id, "run_id", event.kind);
      if (exists.get(runId) !== undefined) throw illegal(`run ${runId} was submitted before`);
      const { goal, owner_uid } = event;
      const request = canonicalJson(requestOf(event));
      insert.run(runId, event.seq, owner_uid, event.time, goal, request);
    },
    run_state_changed: (event) => {
      const runId = needed(event.run_id, "run_id", event.kind);
      const state = exists.get(runId)?.state;
      if (state === undefined) throw unknownId("run", runId);
      const next = transitionRun(state, event.move);
      if (state !== event.from || next === undefined || next !== event.to)
        throw illegal(
          `run ${runId} is ${state}: '${event.move}' from ${event.from} to ${event.to} is no legal move`,
        );
      move.run(next, next === "paused" ? (event.reason ?? "") : null, runId);
      if (isRunEnded(next)) end.run(event.time, ...failureOf(event), runId);
    },
    run_recovered: (event) => {
      recovered.run(needed(event.run_id, "run_id", event.kind));
    },
    run_result: (event) => {
      const runId = needed(event.run_id, "run_id", event.kind);
      const documents = canonicalJson(event.documents);
      result.run(event.final_output, event.final_text, documents, runId);
    },
    orchestration_selected: (event) => {
      mode.run(event.mode, needed(event.run_id, "run_id", event.kind));
    },
  };
}

/** The `RunRequest` that was submitted. */
function requestOf(event: EventOf<"run_submitted">): Readonly<Record<string, unknown>> {
  const { goal, orchestration, role, params, max_tokens, max_usd, timeout_ms } = event;
  return { goal, orchestration, role, params, max_tokens, max_usd, timeout_ms };
}

/** Kind and message of the error that a run ended with; two nulls where it succeeded. */
function failureOf(
  event: EventOf<"run_state_changed">,
): readonly [kind: string | null, message: string | null] {
  if (event.to === "succeeded") return [null, null];
  const kind = event.error ?? (event.to === "cancelled" ? "cancelled" : "run_failed");
  return [kind, event.reason ?? ""];
}
