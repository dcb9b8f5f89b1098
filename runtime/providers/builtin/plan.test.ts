import { describe, expect, it } from "vitest";
import { Plan } from "../../protocol/plan.js";
import { parseGoal } from "./goal.js";
import { planGoal } from "./plan.js";

const ROLES = ["fetcher", "analyzer", "writer", "generalist"];

function planned(text: string, roles: readonly string[] = ROLES, failure?: string) {
  const goal = parseGoal(text);
  if (!goal.ok) throw new Error(goal.why);
  return planGoal(goal.goal, text, roles, failure);
}

function planOf(text: string, roles?: readonly string[], failure?: string): Plan {
  const result = planned(text, roles, failure);
  if (!result.ok) throw new Error(result.why);
  return Plan.parse(result.plan);
}

const COMPARE = "Fetch http://a.org/x and http://b.org/y, compare them, write /output/compare.md";

describe("planGoal", () => {
  it("a comparison is two fetchers in parallel, two analyzers and one writer", () => {
    const plan = planOf(COMPARE);
    expect(plan.steps.map((step) => [step.id, step.role, step.depends_on])).toEqual([
      ["fetch-1", "fetcher", []],
      ["fetch-2", "fetcher", []],
      ["analyze-1", "analyzer", ["fetch-1"]],
      ["analyze-2", "analyzer", ["fetch-2"]],
      ["write", "writer", ["analyze-1", "analyze-2"]],
    ]);
    expect(plan.steps[0]?.params).toEqual({ url: "http://a.org/x", output: "{run}/source-1.md" });
    expect(plan.steps[2]?.params).toMatchObject({
      inputs: ["{run}/source-1.md"],
      output: "{run}/notes-1.md",
    });
    expect(plan.steps[4]?.params).toMatchObject({
      inputs: ["{run}/notes-1.md", "{run}/notes-2.md"],
      output: "/output/compare.md",
    });
    expect(plan.final_output).toBe("/output/compare.md");
  });

  it("fetch and save is one fetcher, fetch and summarise is two steps, a local file needs no fetcher", () => {
    const roles = (text: string) => planOf(text).steps.map((step) => step.role);
    expect(roles("Fetch http://a.org and save it to /data/a.md")).toEqual(["fetcher"]);
    expect(roles("Fetch http://a.org, summarise, write /data/a.md")).toEqual(["fetcher", "writer"]);
    expect(roles("Summarise /data/a.md and write /data/b.md")).toEqual(["writer"]);
  });

  it("every input of a step is the output of a step it depends on, or a file of the goal", () => {
    const plan = planOf(
      "Compare /data/a.md with http://b.org and http://c.org, write /output/c.md",
    );
    const outputs = new Map(plan.steps.map((step) => [step.params["output"], step.id]));
    for (const step of plan.steps)
      for (const input of (step.params["inputs"] ?? []) as string[]) {
        const maker = outputs.get(input);
        if (maker === undefined) expect(input).toBe("/data/a.md");
        else expect(step.depends_on).toContain(maker);
      }
  });

  it("without a path the result is the run's output.md", () => {
    expect(planOf("Summarise http://a.org").final_output).toBe("{run}/output.md");
  });

  it("only roles of the catalog are used: without an analyzer the writer reads the sources, without a writer there is no plan", () => {
    const plan = planOf(COMPARE, ["fetcher", "writer"]);
    expect(plan.steps.map((step) => step.role)).toEqual(["fetcher", "fetcher", "writer"]);
    expect(planned(COMPARE, ["fetcher"])).toMatchObject({ ok: false });
  });

  it("a replan drops the source that failed, keeps the other steps as they were, and says so in the title", () => {
    const goal = "Fetch http://a.org/x and http://b.org/y, summarise them, write /output/s.md";
    const failure = "step fetch-2 failed: http://b.org/y answered 404";
    const before = planOf(goal);
    const after = planOf(goal, ROLES, failure);
    expect(after.steps[0]).toEqual(before.steps[0]);
    expect(after.steps.map((step) => step.id)).toEqual(["fetch-1", "write"]);
    expect(after.steps[1]?.params["inputs"]).toEqual(["{run}/source-1.md"]);
    expect(String(after.steps[1]?.params["title"])).toContain("without b.org/y");
  });

  it("where too little would be left, the failure is given back instead of a plan", () => {
    expect(planned(COMPARE, ROLES, "fetch-2 failed")).toMatchObject({ ok: false });
    expect(planned(COMPARE, ROLES, "the disk is full")).toMatchObject({ ok: false });
  });

  it("a URL that begins like the one that failed is not dropped with it", () => {
    const goal = "Fetch http://a.org/x and http://a.org/xy, summarise, write /output/s.md";
    const plan = planOf(goal, ROLES, "http://a.org/xy timed out");
    expect(plan.steps[0]?.params["url"]).toBe("http://a.org/x");
  });
});
