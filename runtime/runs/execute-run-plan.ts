import type { EventBody, NewEvent } from "../protocol/event.js";
import { NO_USAGE, type Usage } from "../protocol/model.js";
import type { PlanStep } from "../protocol/plan.js";
import type { Role } from "../protocol/role.js";
import { type Executed, executePlan, type StepOutcome } from "./execute-plan.js";
import { escalate } from "./model-ladder.js";
import type { RunContext } from "./run-context.js";
import type { PlanHistory, StepHistory } from "./run-history.js";
import { runStep } from "./run-step.js";
import { startStepClock } from "./step-clock.js";
import { hopsExhausted, ttlNews } from "./step-ttl.js";

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
  const { reader, settings } = run.deps;
  const news = ttlNews(outcomes);
  const roleOf = (step: PlanStep) => run.deps.roles().get(step.role)?.role;
  return executePlan(
    {
      plan,
      standing: { steps, outcomes },
      maxParallel: run.deps.settings.run.max_parallel_steps,
      runStep: async (step, stop) => {
        const exhausted = hopsExhausted(plan, step, settings.run.default_ttl_hops);
        if (exhausted !== undefined) return { outcome: expired(exhausted) };
        const role = roleOf(step);
        using clock = startStepClock(run, step, role);
        const until = AbortSignal.any([stop, clock.signal]);
        let history: StepHistory = steps.get(step.id) ?? { state: "running", attempt: 1 };
        for (;;) {
          const end = await runStep(run, step, history, until);
          if (!isRetried(end.outcome, history.attempt, role) || until.aborted) return end;
          const raised =
            role === undefined ? undefined : escalate(reader, run.id, step.id, role, run.tiers);
          history = { state: "running", attempt: history.attempt + 1 };
          await record(
            step,
            end.farewell,
            ...(raised === undefined ? [] : [raised]),
            started(step, history.attempt),
          );
          end.written?.();
        }
      },
      moved: async (step, change, end) => {
        await record(
          step,
          end?.farewell,
          { kind: "step_state_changed", subtask_id: step.id, ...change },
          ...(change.move === "start" ? [started(step, 1)] : []),
          ...(change.move === "skip" ? news.skipped(step) : []),
          ...(end === undefined ? [] : news.ended(step, end.outcome)),
          ...(end === undefined ? [] : [completed(step, end.outcome, usageOf(run, step))]),
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

function expired(message: string): StepOutcome {
  return { ok: false, failure: { code: "ttl_expired", message, class: "replan" } };
}

/**
 * Whether a step that has failed is tried again by itself: what passes, while its role allows another attempt; where the role names
 * kinds of errors, those and no others.
 */
function isRetried(outcome: StepOutcome, attempt: number, role: Role | undefined): boolean {
  const { max_attempts = 1, on = [] } = role?.retry ?? {};
  if (outcome.ok || attempt >= max_attempts || outcome.failure.code === "cancelled") return false;
  return on.length === 0 ? outcome.failure.class === "retry" : on.includes(outcome.failure.code);
}

/** What the step has used of models, all its attempts together. */
function usageOf({ deps, id }: RunContext, step: PlanStep): Usage {
  return deps.reader.run(id)?.steps.find(({ step_id }) => step_id === step.id)?.usage ?? NO_USAGE;
}

function completed(step: PlanStep, outcome: StepOutcome, usage: Usage): EventBody {
  const event = { kind: "subtask_completed" as const, subtask_id: step.id, usage };
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
