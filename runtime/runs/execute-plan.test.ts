import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { Plan, type PlanStep } from "../protocol/plan.js";
import { type Execution, executePlan, type StepOutcome } from "./execute-plan.js";

const OK: StepOutcome = { ok: true, text: "", outputs: [] };
const NEVER = new AbortController().signal;

/** `a>b` is step b after step a. */
function planOf(...edges: readonly string[]): Plan {
  const ids = [...new Set(edges.flatMap((edge) => edge.split(">")))];
  const steps = ids.map((id) => ({
    id,
    role: "r",
    depends_on: edges.flatMap((edge) => (edge.endsWith(`>${id}`) ? [edge.split(">")[0]] : [])),
  }));
  return Plan.parse({ steps, final_output: "/x" });
}

function failed(failureClass: "replan" | "fatal"): StepOutcome {
  return { ok: false, failure: { code: "step_failed", message: "no", class: failureClass } };
}

const NOTHING: Execution["standing"] = { steps: new Map(), outcomes: new Map() };

interface Told {
  readonly log: string[];
  readonly states: Readonly<Record<string, string>>;
}

/** Executes with `work` and notes each move as `move id`. */
async function execute(
  plan: Plan,
  work: (step: PlanStep, signal: AbortSignal) => Promise<StepOutcome>,
  more: Partial<Execution> = {},
): Promise<Told> {
  const log: string[] = [];
  const executed = await executePlan(
    {
      plan,
      standing: NOTHING,
      maxParallel: 16,
      runStep: async (step, signal) => ({ outcome: await work(step, signal) }),
      moved: async (step, { move }) => {
        log.push(`${move} ${step.id}`);
      },
      ...more,
    },
    NEVER,
  );
  return { log, states: Object.fromEntries(executed.states) };
}

describe("walking the DAG", () => {
  it("A8 a step starts when its own dependencies have succeeded, not when a batch has", async () => {
    const plan = planOf("slow>after-slow", "fast>after-fast");
    const { log } = await execute(plan, async ({ id }) => {
      if (id === "slow") await sleep(60);
      return OK;
    });
    expect(log.indexOf("start after-fast")).toBeLessThan(log.indexOf("succeed slow"));
  });

  it("A8 a step that ends while another's start is being recorded still starts what waits for it at once", async () => {
    const plan = planOf("a>long", "b>short");
    const log: string[] = [];
    await executePlan(
      {
        plan,
        standing: NOTHING,
        maxParallel: 16,
        runStep: async ({ id }) => {
          if (id === "b") await sleep(30);
          if (id === "long") await sleep(300);
          return { outcome: OK };
        },
        moved: async (step, { move }) => {
          // b ends while the journal writes that long starts.
          if (step.id === "long" && move === "start") await sleep(100);
          log.push(`${move} ${step.id}`);
        },
      },
      NEVER,
    );
    expect(log.indexOf("succeed short")).toBeLessThan(log.indexOf("succeed long"));
  });

  it("the last one under way ending while a skip is being recorded does not end the walk", async () => {
    const plan = planOf("bad>skipped", "good>next");
    const { states } = await execute(
      plan,
      async ({ id }) => {
        if (id === "good") await sleep(20);
        return id === "bad" ? failed("replan") : OK;
      },
      {
        moved: async (_step, { move }) => {
          if (move === "skip") await sleep(60);
        },
      },
    );
    expect(states).toEqual({
      bad: "failed",
      skipped: "skipped",
      good: "succeeded",
      next: "succeeded",
    });
  });

  it("a failure skips what depends on it alone", async () => {
    const plan = planOf("bad>x", "x>y", "good>z", "z>y");
    const { states } = await execute(plan, async ({ id }) =>
      id === "bad" ? failed("replan") : OK,
    );
    expect(states).toEqual({
      bad: "failed",
      x: "skipped",
      y: "skipped",
      good: "succeeded",
      z: "succeeded",
    });
  });

  it("A24-7 a fatal failure aborts what is under way and starts nothing more", async () => {
    const plan = planOf("bad>x", "long>y");
    const { states } = await execute(plan, async ({ id }, signal) => {
      if (id === "bad") return failed("fatal");
      await sleep(10_000, undefined, { signal });
      return OK;
    });
    expect(states["bad"]).toBe("failed");
    expect(states["long"]).toBe("cancelled");
    expect([states["x"], states["y"]]).not.toContain("succeeded");
  });

  it("never runs more steps at a time than allowed", async () => {
    const plan = planOf(...Array.from({ length: 12 }, (_, i) => `a${i}>b${i}`));
    let now = 0;
    let most = 0;
    await execute(
      plan,
      async () => {
        most = Math.max(most, ++now);
        await sleep(5);
        now--;
        return OK;
      },
      { maxParallel: 3 },
    );
    expect(most).toBe(3);
  });

  it("A24-6 kept steps are not run again, and what waits for them starts at once", async () => {
    const plan = planOf("a>b");
    const ran: string[] = [];
    const [first] = plan.steps;
    if (first === undefined) throw new Error("no step");
    const { states } = await execute(
      plan,
      async ({ id }) => {
        ran.push(id);
        return OK;
      },
      {
        standing: {
          steps: new Map([[first.id, { state: "succeeded" }]]),
          outcomes: new Map([[first.id, OK]]),
        },
      },
    );
    expect(ran).toEqual(["b"]);
    expect(states).toEqual({ a: "succeeded", b: "succeeded" });
  });

  it("a journal that cannot be written ends the walk with its error; nothing goes on unrecorded", async () => {
    const plan = planOf("a>b", "c>d");
    const ran: string[] = [];
    const walk = execute(
      plan,
      async ({ id }) => {
        ran.push(id);
        await sleep(5);
        return OK;
      },
      {
        moved: async (_step, { move }) => {
          await sleep(1);
          if (move === "succeed") throw new Error("no space");
        },
      },
    );
    await expect(walk).rejects.toThrow("no space");
    expect(ran.sort()).toEqual(["a", "c"]);
  });
});
