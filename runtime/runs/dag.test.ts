import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { StepId } from "../protocol/ids.js";
import { Plan } from "../protocol/plan.js";
import type { StepState } from "../protocol/step.js";
import { blockedSteps, inDependencyOrder, readySteps, stepsOnCycle } from "./dag.js";

function plan(edges: Readonly<Record<string, readonly string[]>>): Plan {
  return Plan.parse({
    steps: Object.entries(edges).map(([id, depends_on]) => ({ id, role: "r", depends_on })),
    final_output: "/x",
  });
}

function states(values: Readonly<Record<string, StepState>>): ReadonlyMap<StepId, StepState> {
  return new Map(Object.entries(values) as [StepId, StepState][]);
}

const ids = (steps: readonly { id: string }[]): string[] => steps.map((step) => step.id);

describe("readySteps", () => {
  it("starts a step when its own dependencies have succeeded, whatever its siblings do", () => {
    const uneven = plan({ a: [], b: [], c: ["a"], d: ["b", "c"] });
    expect(
      ids(readySteps(uneven, states({ a: "succeeded", b: "running", c: "waiting", d: "waiting" }))),
    ).toEqual(["c"]);
  });

  it("never starts a step again", () => {
    expect(readySteps(plan({ a: [] }), states({ a: "succeeded" }))).toEqual([]);
  });
});

describe("blockedSteps", () => {
  it("skips what depends on a failure at any distance, and nothing else", () => {
    const chain = plan({ a: [], b: ["a"], c: ["b"], d: [] });
    expect(
      ids(blockedSteps(chain, states({ a: "failed", b: "waiting", c: "waiting", d: "waiting" }))),
    ).toEqual(["b", "c"]);
  });
});

describe("stepsOnCycle", () => {
  it("names the steps of a cycle and those that wait for it", () => {
    expect(stepsOnCycle(plan({ a: ["b"], b: ["a"], c: ["b"], d: [] }))).toEqual(["a", "b", "c"]);
  });
});

describe("inDependencyOrder", () => {
  it("puts every step after all it depends on, for any DAG", () => {
    const dag = fc
      .array(fc.array(fc.nat(20), { maxLength: 4 }), { minLength: 1, maxLength: 20 })
      .map((rows) =>
        plan(
          Object.fromEntries(
            rows.map((targets, i) => [
              `s${i}`,
              [...new Set(targets.filter((t) => t < i).map((t) => `s${t}`))],
            ]),
          ),
        ),
      );
    fc.assert(
      fc.property(dag, (steps) => {
        const seen = new Set<string>();
        for (const step of inDependencyOrder(steps)) {
          expect(step.depends_on.every((dependency) => seen.has(dependency))).toBe(true);
          seen.add(step.id);
        }
        expect(seen.size).toBe(steps.steps.length);
      }),
    );
  });
});
