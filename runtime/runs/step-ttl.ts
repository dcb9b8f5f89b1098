import type { EventBody } from "../protocol/event.js";
import type { StepId } from "../protocol/ids.js";
import type { Plan, PlanStep } from "../protocol/plan.js";
import { inDependencyOrder } from "./dag.js";
import type { StepOutcome } from "./execute-plan.js";

/**
 * Why a step may not start: each dependency behind it takes one of its hops, and none is left. Undefined where it may. Pure.
 */
export function hopsExhausted(
  plan: Plan,
  step: PlanStep,
  defaultHops: number | undefined,
): string | undefined {
  const hops = step.ttl?.max_hops ?? defaultHops;
  if (hops === undefined) return undefined;
  const depth = depthsOf(plan).get(step.id) ?? 0;
  if (hops > depth) return undefined;
  return `its ttl of ${hops} ${hops === 1 ? "hop is" : "hops is"} used up: ${depth} ${depth === 1 ? "step stands" : "steps stand"} before it in the plan`;
}

/** How many steps stand before each one, on the longest way to it. */
function depthsOf(plan: Plan): ReadonlyMap<StepId, number> {
  const depths = new Map<StepId, number>();
  for (const { id, depends_on } of inDependencyOrder(plan))
    depths.set(id, Math.max(0, ...depends_on.map((before) => (depths.get(before) ?? 0) + 1)));
  return depths;
}

/** Tells the journal of steps whose time is over, and of those that fall with them. */
export interface TtlNews {
  /** Of a step that has ended. */
  readonly ended: (step: PlanStep, outcome: StepOutcome) => readonly EventBody[];
  /** Of a step that is skipped. */
  readonly skipped: (step: PlanStep) => readonly EventBody[];
}

/** `outcomes` are of steps that have ended before. */
export function ttlNews(outcomes: ReadonlyMap<StepId, StepOutcome>): TtlNews {
  const expired = new Set(
    [...outcomes].flatMap(([id, outcome]) => (isExpired(outcome) ? [id] : [])),
  );
  return {
    ended: ({ id }, outcome) => {
      if (!isExpired(outcome)) return [];
      expired.add(id);
      const byHops = !outcome.ok && outcome.failure.message.startsWith("its ttl of");
      const reason = byHops ? "hops_exhausted" : "wall_clock_exceeded";
      return [{ kind: "subtask_ttl_expired", subtask_id: id, reason }];
    },
    skipped: ({ id, depends_on }) => {
      if (!depends_on.some((before) => expired.has(before))) return [];
      expired.add(id);
      return [{ kind: "subtask_ttl_expired", subtask_id: id, reason: "dependency_ttl_cascade" }];
    },
  };
}

function isExpired(outcome: StepOutcome): boolean {
  return !outcome.ok && outcome.failure.code === "ttl_expired";
}
