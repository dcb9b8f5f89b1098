import { createHash } from "node:crypto";
import canonicalize from "canonicalize";
import type { StepId } from "../protocol/ids.js";
import type { Plan, PlanStep } from "../protocol/plan.js";
import { inDependencyOrder } from "./dag.js";

/** What a step is, whatever it is called: its role, its params and the same of all it depends on. SHA-256, hex. */
function contentKeys(plan: Plan): ReadonlyMap<StepId, string> {
  const keys = new Map<StepId, string>();
  for (const step of inDependencyOrder(plan)) {
    const inputs = step.depends_on.map((dependency) => keys.get(dependency) ?? "").sort();
    const text = canonicalize({ role: step.role, params: step.params, inputs }) ?? "";
    keys.set(step.id, createHash("sha256").update(text).digest("hex"));
  }
  return keys;
}

/**
 * A new plan after a failure, with the finished work of the old one kept: a step that is the same by content takes the old
 * step's id and is in `kept`; a step that is new but took the id of a finished one is renamed. Pure.
 */
export function keepFinished(
  next: Plan,
  previous: Plan,
  succeeded: ReadonlySet<StepId>,
): { readonly plan: Plan; readonly kept: ReadonlySet<StepId> } {
  const oldKeys = contentKeys(previous);
  const finishedByKey = new Map([...succeeded].map((id) => [oldKeys.get(id) ?? id, id] as const));
  const newKeys = contentKeys(next);
  const rename = new Map<StepId, StepId>();
  const kept = new Set<StepId>();
  for (const step of next.steps) {
    const old = finishedByKey.get(newKeys.get(step.id) ?? "");
    if (old === undefined || kept.has(old)) continue;
    kept.add(old);
    rename.set(step.id, old);
  }
  const taken = new Set<StepId>([...succeeded, ...next.steps.map((step) => step.id)]);
  for (const step of next.steps) {
    if (rename.has(step.id) || !succeeded.has(step.id)) continue;
    rename.set(step.id, freshId(step, taken));
  }
  return { plan: renamed(next, rename), kept };
}

function freshId(step: PlanStep, taken: Set<StepId>): StepId {
  for (let n = 2; ; n++) {
    const candidate = `${step.id.slice(0, 58)}-${n}` as StepId;
    if (taken.has(candidate)) continue;
    taken.add(candidate);
    return candidate;
  }
}

function renamed(plan: Plan, rename: ReadonlyMap<StepId, StepId>): Plan {
  const nameOf = (id: StepId): StepId => rename.get(id) ?? id;
  return {
    ...plan,
    steps: plan.steps.map((step) => ({
      ...step,
      id: nameOf(step.id),
      depends_on: step.depends_on.map(nameOf),
    })),
  };
}
