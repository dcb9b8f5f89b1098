import type { EventBody, NewEvent } from "../protocol/event.js";
import { NO_USAGE } from "../protocol/model.js";
import type { PlanStep } from "../protocol/plan.js";
import { type Executed, executePlan, type StepOutcome } from "./execute-plan.js";
import type { RunContext } from "./run-context.js";
import type { PlanHistory, StepHistory } from "./run-history.js";
import { runStep } from "./run-step.js";

/**
 * Execute a run's plan from where it stands: each step by an agent of its role, every change of state in the journal before it
 * counts. An agent's end and what follows from it are one append, so that a step is never found without the one or the other.
 */
export function executeRunPlan(
  run: RunContext,
  { plan, steps, outcomes }: PlanHistory,
  signal: AbortSignal,
): Promise<Executed> {
  const record = (
    step: PlanStep,
    farewell: readonly NewEvent[] = [],
    ...bodies: readonly EventBody[]
  ) => {
    const context = { run_id: run.id, step_id: step.id, actor: "daemon" };
    return run.deps.journal.append([
      ...farewell,
      ...bodies.map((body) => ({ ...context, ...body })),
    ]);
  };
  return executePlan(
    {
      plan,
      standing: { steps, outcomes },
      maxParallel: run.deps.settings.run.max_parallel_steps,
      runStep: async (step, stop) => {
        const attempts = run.deps.roles().get(step.role)?.role.retry?.max_attempts ?? 1;
        let history: StepHistory = steps.get(step.id) ?? { state: "running", attempt: 1 };
        for (;;) {
          const end = await runStep(run, step, history, stop);
          const { outcome } = end;
          if (outcome.ok || outcome.failure.class !== "retry" || history.attempt >= attempts)
            return end;
          history = { state: "running", attempt: history.attempt + 1 };
          await record(step, end.farewell, started(step, history.attempt));
          end.written?.();
        }
      },
      moved: async (step, change, end) => {
        await record(
          step,
          end?.farewell,
          { kind: "step_state_changed", subtask_id: step.id, ...change },
          ...(change.move === "start" ? [started(step, 1)] : []),
          ...(end === undefined ? [] : [completed(step, end.outcome)]),
        );
      },
    },
    signal,
    run.rest,
  );
}

function started(step: PlanStep, attempt: number): EventBody {
  return { kind: "subtask_started", subtask_id: step.id, role: step.role, attempt };
}

function completed(step: PlanStep, outcome: StepOutcome): EventBody {
  const event = { kind: "subtask_completed" as const, subtask_id: step.id, usage: NO_USAGE };
  if (outcome.ok)
    return { ...event, success: true, text: outcome.text, outputs: [...outcome.outputs] };
  const { code, message, class: failureClass, hint } = outcome.failure;
  return {
    ...event,
    success: false,
    outputs: [],
    error: code,
    reason: message,
    class: failureClass,
    ...(hint === undefined ? {} : { hint }),
  };
}
