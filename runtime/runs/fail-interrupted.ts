import type { Journal } from "../audit/journal.js";
import { formatCapability } from "../policy/grammar.js";
import type { AgentSummary } from "../protocol/control.js";
import type { NewEvent } from "../protocol/event.js";
import { AgentId, RunId, StepId } from "../protocol/ids.js";
import { type RunState, transitionRun } from "../protocol/run.js";
import { type StepState, transitionStep } from "../protocol/step.js";
import type { StoreReader } from "../store/reader.js";

const REASON = "the daemon ended while this was under way";

/** At start: whatever a daemon that is gone left under way is ended in the journal, so that nothing seems to run that does not. */
export async function failInterrupted(journal: Journal, reader: StoreReader): Promise<void> {
  for (const agent of reader.agents({ all: false })) {
    await journal.append(agentEnded(agent, reader));
  }
  for (const summary of reader.runs({ all: false })) {
    const run_id = RunId.parse(summary.run_id);
    const steps = reader.run(run_id)?.steps ?? [];
    const ended = steps.flatMap((step): NewEvent[] => stepEnded(run_id, step.step_id, step.state));
    await journal.append([...ended, runFailed(run_id, summary.state)]);
  }
}

/** Its tokens died with the daemon that held them; the journal says so too. */
function agentEnded(agent: AgentSummary, reader: StoreReader): NewEvent[] {
  const agent_id = AgentId.parse(agent.agent_id);
  const context = {
    agent_id,
    actor: "daemon",
    ...(agent.run_id === null ? {} : { run_id: RunId.parse(agent.run_id) }),
    ...(agent.step_id === null ? {} : { step_id: StepId.parse(agent.step_id) }),
  };
  const held = reader.agent(agent_id)?.tokens.filter(({ revoked_at }) => revoked_at === null) ?? [];
  return [
    ...held.map(({ id, capability }) => ({
      ...context,
      kind: "capability_revoked" as const,
      token_id: id,
      capability: formatCapability(capability),
      reason: REASON,
    })),
    { ...context, kind: "agent_stopped", reason: "error", message: REASON },
  ];
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
