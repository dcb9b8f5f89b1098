import type { Journal } from "../audit/journal.js";
import type { NewEvent } from "../protocol/event.js";
import { AgentId, RunId, StepId } from "../protocol/ids.js";
import { type RunState, transitionRun } from "../protocol/run.js";
import { type StepState, transitionStep } from "../protocol/step.js";
import type { StoreReader } from "../store/reader.js";

const REASON = "the daemon ended while this was under way";

/** At start: whatever a daemon that is gone left under way is ended in the journal, so that nothing seems to run that does not. */
export async function failInterrupted(journal: Journal, reader: StoreReader): Promise<void> {
  for (const agent of reader.agents({ all: false })) {
    const agent_id = AgentId.parse(agent.agent_id);
    await journal.append([
      { kind: "agent_stopped", agent_id, actor: "daemon", reason: "error", message: REASON },
    ]);
  }
  for (const summary of reader.runs({ all: false })) {
    const run_id = RunId.parse(summary.run_id);
    const steps = reader.run(run_id)?.steps ?? [];
    const ended = steps.flatMap((step): NewEvent[] => stepEnded(run_id, step.step_id, step.state));
    await journal.append([...ended, runFailed(run_id, summary.state)]);
  }
}

function stepEnded(run_id: RunId, id: string, from: StepState): NewEvent[] {
  const move = from === "running" ? "fail" : "cancel";
  const to = transitionStep(from, move);
  if (to === undefined) return [];
  const step_id = StepId.parse(id);
  return [
    {
      kind: "step_state_changed",
      run_id,
      step_id,
      actor: "daemon",
      subtask_id: id,
      move,
      from,
      to,
      reason: REASON,
    },
  ];
}

function runFailed(run_id: RunId, from: RunState): NewEvent {
  const to = transitionRun(from, "fail") ?? "failed";
  return {
    kind: "run_state_changed",
    run_id,
    actor: "daemon",
    move: "fail",
    from,
    to,
    reason: REASON,
    error: "run_failed",
  };
}
