import type { StepId } from "../protocol/ids.js";
import type { Plan, PlanStep } from "../protocol/plan.js";
import type { StepState } from "../protocol/step.js";

/** Steps that may start now: waiting, and every step they depend on has succeeded. Pure, in plan order. */
export function readySteps(
  plan: Plan,
  states: ReadonlyMap<StepId, StepState>,
): readonly PlanStep[] {
  return plan.steps.filter(
    (step) =>
      states.get(step.id) === "waiting" &&
      step.depends_on.every((dependency) => states.get(dependency) === "succeeded"),
  );
}

/** Steps that can never start, because something they depend on, at any distance, did not succeed. */
export function blockedSteps(
  plan: Plan,
  states: ReadonlyMap<StepId, StepState>,
): readonly PlanStep[] {
  const dead = new Set<StepId>();
  for (const [id, state] of states) {
    if (state === "failed" || state === "skipped" || state === "cancelled") dead.add(id);
  }
  const blocked: PlanStep[] = [];
  for (const step of inDependencyOrder(plan)) {
    if (states.get(step.id) !== "waiting") continue;
    if (!step.depends_on.some((dependency) => dead.has(dependency))) continue;
    dead.add(step.id);
    blocked.push(step);
  }
  return blocked;
}

/** The plan's steps, dependencies first (Kahn); steps on a cycle are left out. */
export function inDependencyOrder(plan: Plan): readonly PlanStep[] {
  const ordered: PlanStep[] = [];
  const done = new Set<string>();
  let rest: readonly PlanStep[] = plan.steps;
  while (rest.length > 0) {
    const next = rest.filter((step) => step.depends_on.every((dependency) => done.has(dependency)));
    if (next.length === 0) break;
    for (const step of next) done.add(step.id);
    ordered.push(...next);
    rest = rest.filter((step) => !done.has(step.id));
  }
  return ordered;
}

/** Ids of the steps that lie on a cycle, or wait for one; empty for a DAG. */
export function stepsOnCycle(plan: Plan): readonly StepId[] {
  const ordered = new Set(inDependencyOrder(plan).map((step) => step.id));
  return plan.steps.map((step) => step.id).filter((id) => !ordered.has(id));
}
