import { describe, expect, it } from "vitest";
import type { StepId } from "../protocol/ids.js";
import { Plan } from "../protocol/plan.js";
import { keepFinished } from "./keep-finished.js";

function plan(
  ...steps: readonly {
    id: string;
    role?: string;
    params?: Record<string, string>;
    depends_on?: string[];
  }[]
): Plan {
  return Plan.parse({ steps: steps.map((step) => ({ role: "r", ...step })), final_output: "/x" });
}
const done = (...ids: string[]): ReadonlySet<StepId> => new Set(ids as StepId[]);

describe("keepFinished", () => {
  it("A24-6 keeps a finished step whose role and params are the same", () => {
    const old = plan({ id: "a", params: { url: "u" } }, { id: "b", params: { url: "bad" } });
    const next = plan({ id: "a", params: { url: "u" } }, { id: "b", params: { url: "good" } });
    const { kept } = keepFinished(next, old, done("a"));
    expect([...kept]).toEqual(["a"]);
  });

  it("keeps it under its old id when the planner called it something else", () => {
    const old = plan({ id: "a", params: { url: "u" } });
    const next = plan({ id: "first", params: { url: "u" } }, { id: "c", depends_on: ["first"] });
    const merged = keepFinished(next, old, done("a"));
    expect(merged.plan.steps.map((step) => step.id)).toEqual(["a", "c"]);
    expect(merged.plan.steps[1]?.depends_on).toEqual(["a"]);
  });

  it("runs a step again whose params, or whose inputs, have changed, under a new id", () => {
    const old = plan({ id: "a", params: { url: "u" } }, { id: "b", depends_on: ["a"] });
    const next = plan({ id: "a", params: { url: "other" } }, { id: "b", depends_on: ["a"] });
    const merged = keepFinished(next, old, done("a", "b"));
    expect(merged.kept.size).toBe(0);
    expect(merged.plan.steps.map((step) => step.id)).toEqual(["a-2", "b-2"]);
    expect(merged.plan.steps[1]?.depends_on).toEqual(["a-2"]);
  });

  it("never keeps a step that did not succeed", () => {
    const old = plan({ id: "a", params: { url: "u" } });
    expect(keepFinished(old, old, done()).kept.size).toBe(0);
  });
});
