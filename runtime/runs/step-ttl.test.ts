import { describe, expect, it } from "vitest";
import { type StepId, StepId as StepIdSchema } from "../protocol/ids.js";
import { Plan } from "../protocol/plan.js";
import type { StepOutcome } from "./execute-plan.js";
import { hopsExhausted, ttlNews } from "./step-ttl.js";

const id = (name: string): StepId => StepIdSchema.parse(name);

/** Three steps one after another, each with so many hops. */
function chain(hops?: number): Plan {
  const ttl = hops === undefined ? {} : { ttl: { max_hops: hops } };
  return Plan.parse({
    steps: [
      { id: "one", role: "r", ...ttl },
      { id: "two", role: "r", depends_on: ["one"], ...ttl },
      { id: "three", role: "r", depends_on: ["one", "two"], ...ttl },
    ],
    final_output: "/x",
  });
}

function mayStart(plan: Plan, byDefault?: number): readonly boolean[] {
  return plan.steps.map((step) => hopsExhausted(plan, step, byDefault) === undefined);
}

function failed(code: "ttl_expired" | "step_failed", message: string): StepOutcome {
  return { ok: false, failure: { code, message, class: "replan" } };
}

describe("hops", () => {
  it("U1 each step before it takes one of a step's hops; with none left it does not start", () => {
    expect(mayStart(chain(1))).toEqual([true, false, false]);
    expect(mayStart(chain(2))).toEqual([true, true, false]);
    expect(mayStart(chain(3))).toEqual([true, true, true]);
    expect(mayStart(chain(0))).toEqual([false, false, false]);
  });

  it("U1 a plan without ttl has that of the settings, or none", () => {
    expect(mayStart(chain())).toEqual([true, true, true]);
    expect(mayStart(chain(), 2)).toEqual([true, true, false]);
  });
});

describe("the news of an end by ttl", () => {
  it("U3 has three reasons: hops, wall clock, and a dependency whose time was over", () => {
    const plan = chain(1);
    const [one, two, three] = plan.steps;
    if (one === undefined || two === undefined || three === undefined) throw new Error("a step");
    const news = ttlNews(new Map());
    const exhausted = hopsExhausted(plan, two, undefined) ?? "";
    expect(news.ended(one, failed("step_failed", "404"))).toEqual([]);
    expect(news.ended(two, failed("ttl_expired", exhausted))).toEqual([
      { kind: "subtask_ttl_expired", subtask_id: "two", reason: "hops_exhausted" },
    ]);
    expect(news.skipped(three)).toEqual([
      { kind: "subtask_ttl_expired", subtask_id: "three", reason: "dependency_ttl_cascade" },
    ]);
    expect(news.skipped(one)).toEqual([]);
    expect(ttlNews(new Map()).ended(one, failed("ttl_expired", "it took longer than 1s"))).toEqual([
      { kind: "subtask_ttl_expired", subtask_id: "one", reason: "wall_clock_exceeded" },
    ]);
  });

  it("goes on where a daemon before had got to", () => {
    const [, two] = chain(1).steps;
    if (two === undefined) throw new Error("a step");
    const news = ttlNews(new Map([[id("one"), failed("ttl_expired", "it took longer than 1s")]]));
    expect(news.skipped(two)).toHaveLength(1);
  });
});
