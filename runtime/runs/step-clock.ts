import { formatDuration } from "../base/duration.js";
import type { PlanStep } from "../protocol/plan.js";
import type { Role } from "../protocol/role.js";
import { StepEnded } from "./failure.js";
import type { RunContext } from "./run-context.js";

/** Longest delay of a Node timer. */
const MAX_TIMER_MS = 2_147_483_647;

/** The time that a step has: its `ttl` in the plan, or the settings' where it has none; and its role's budget. */
export interface StepClock extends Disposable {
  /** Aborts with `StepEnded` when the first of them is over. */
  readonly signal: AbortSignal;
}

/**
 * Wall clock, from when the step first started, whoever carries it out and however often it is tried: a scaffold as any agent, and over
 * a restart of the daemon.
 */
export function startStepClock(
  run: RunContext,
  step: PlanStep,
  role: Pick<Role, "budget"> | undefined,
): StepClock {
  const over = new AbortController();
  const now = run.deps.entropy.now();
  const startedAt = startOf(run, step) ?? now;
  const timers = limitsOf(run, step, role).map(({ limitMs, code }) => {
    const message = `it took longer than ${formatDuration(limitMs)}`;
    return setTimeout(
      () => over.abort(new StepEnded({ code, message, class: "replan" })),
      Math.min(Math.max(0, startedAt + limitMs - now), MAX_TIMER_MS),
    );
  });
  return {
    signal: over.signal,
    [Symbol.dispose]: () => {
      for (const timer of timers) clearTimeout(timer);
    },
  };
}

function limitsOf(
  { deps }: RunContext,
  { ttl }: PlanStep,
  role: Pick<Role, "budget"> | undefined,
): readonly { readonly limitMs: number; readonly code: "ttl_expired" | "budget_exceeded" }[] {
  const byTtl = ttl?.max_wall_clock_s ?? deps.settings.run.default_ttl_wall_clock_s;
  const byBudget = role?.budget.max_wall_clock_s;
  return [
    ...(byTtl === undefined ? [] : [{ limitMs: byTtl * 1_000, code: "ttl_expired" as const }]),
    ...(byBudget === undefined
      ? []
      : [{ limitMs: byBudget * 1_000, code: "budget_exceeded" as const }]),
  ];
}

function startOf({ deps, id }: RunContext, { id: step }: PlanStep): number | undefined {
  const found = deps.reader.run(id)?.steps.find(({ step_id }) => step_id === step)?.started_at;
  return typeof found === "string" ? Date.parse(found) : undefined;
}
