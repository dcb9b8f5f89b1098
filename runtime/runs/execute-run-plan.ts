import { AgentdError } from "../protocol/agentd-error.js";
import type { EventBody } from "../protocol/event.js";
import type { StepId } from "../protocol/ids.js";
import { NO_USAGE } from "../protocol/model.js";
import type { Plan, PlanStep } from "../protocol/plan.js";
import { type Executed, executePlan, type StepOutcome } from "./execute-plan.js";
import { recorder } from "./record.js";
import type { RunContext } from "./run-context.js";
import { runStep } from "./run-step.js";

/** Execute a run's plan: each step by an agent of its role, every change of state in the journal before it counts. */
export function executeRunPlan(
  run: RunContext,
  plan: Plan,
  kept: ReadonlyMap<StepId, StepOutcome>,
  signal: AbortSignal,
): Promise<Executed> {
  const roles = run.deps.roles();
  const recordFor = (step: PlanStep) =>
    recorder(run.deps.journal, { run_id: run.id, step_id: step.id, actor: "daemon" });
  const started = (step: PlanStep, attempt: number): EventBody => ({
    kind: "subtask_started",
    subtask_id: step.id,
    role: step.role,
    attempt,
  });
  return executePlan(
    {
      plan,
      kept,
      maxParallel: run.deps.settings.run.max_parallel_steps,
      runStep: async (step, stop) => {
        const role = roles.get(step.role);
        if (role === undefined)
          throw new AgentdError("unknown_role", "run step", `there is no role "${step.role}"`);
        const attempts = role.role.retry?.max_attempts ?? 1;
        for (let attempt = 1; ; attempt++) {
          const outcome = await runStep(run, step, role.role, stop);
          if (outcome.ok || outcome.failure.class !== "retry" || attempt >= attempts)
            return outcome;
          await recordFor(step)(started(step, attempt + 1));
        }
      },
      moved: async (step, change, outcome) => {
        await recordFor(step)(
          { kind: "step_state_changed", subtask_id: step.id, ...change },
          ...(change.move === "start" ? [started(step, 1)] : []),
          ...(outcome === undefined ? [] : [completed(step, outcome)]),
        );
      },
    },
    signal,
  );
}

function completed(step: PlanStep, outcome: StepOutcome): EventBody {
  const event = { kind: "subtask_completed" as const, subtask_id: step.id, usage: NO_USAGE };
  if (outcome.ok)
    return { ...event, success: true, text: outcome.text, outputs: [...outcome.outputs] };
  const { code, message } = outcome.failure;
  return { ...event, success: false, outputs: [], error: code, reason: message };
}
