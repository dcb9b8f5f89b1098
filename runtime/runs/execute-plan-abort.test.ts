import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { Plan } from "../protocol/plan.js";
import { type Execution, executePlan, type StepOutcome } from "./execute-plan.js";

const never = new AbortController().signal;
const DONE: StepOutcome = { ok: true, text: "done", outputs: [] };

/** Steps by id, each with the ids it depends on. */
function planOf(steps: Readonly<Record<string, readonly string[]>>): Plan {
  return Plan.parse({
    steps: Object.entries(steps).map(([id, depends_on]) => ({ id, role: "writer", depends_on })),
    final_output: "/out.md",
  });
}

interface Told {
  readonly execution: Execution;
  /** `ID MOVE` in the order in which they were recorded. */
  readonly moves: string[];
}

function execution(
  plan: Plan,
  runStep: (id: string, signal: AbortSignal) => Promise<StepOutcome>,
  record: (move: string) => Promise<void> = async () => undefined,
): Told {
  const moves: string[] = [];
  return {
    moves,
    execution: {
      plan,
      standing: { steps: new Map(), outcomes: new Map() },
      maxParallel: 8,
      runStep: async (step, signal) => ({ outcome: await runStep(step.id, signal) }),
      moved: async (step, { move }) => {
        moves.push(`${step.id} ${move}`);
        await record(`${step.id} ${move}`);
      },
    },
  };
}

function stepFailed(message: string, failureClass: "replan" | "fatal"): StepOutcome {
  return { ok: false, failure: { code: "step_failed", message, class: failureClass } };
}

async function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
  });
}

describe("walking the DAG", () => {
  it("a step starts when its own dependencies have succeeded, not when a batch has", async () => {
    const plan = planOf({ quick: [], slow: [], after: ["quick"] });
    const { execution: given, moves } = execution(plan, async (id) => {
      await sleep(id === "slow" ? 80 : 5);
      return DONE;
    });
    const { states } = await executePlan(given, never);
    expect([...states.values()]).toEqual(["succeeded", "succeeded", "succeeded"]);
    expect(moves.indexOf("after succeed")).toBeLessThan(moves.indexOf("slow succeed"));
  });

  it("when a step fails its siblings go on and only what depends on it is skipped", async () => {
    const plan = planOf({ bad: [], good: [], after: ["bad"], end: ["after"] });
    const { execution: given } = execution(plan, async (id) =>
      id === "bad" ? stepFailed("404", "replan") : DONE,
    );
    const { states } = await executePlan(given, never);
    expect(Object.fromEntries(states)).toEqual({
      bad: "failed",
      good: "succeeded",
      after: "skipped",
      end: "skipped",
    });
  });

  it("a fatal failure cancels what is under way, and its own reason stays the first", async () => {
    const plan = planOf({ bad: [], long: [], later: ["long"] });
    const { execution: given, moves } = execution(plan, async (id, signal) => {
      if (id === "long") return untilAborted(signal);
      await sleep(5);
      return stepFailed("wrong key", "fatal");
    });
    const { states, outcomes } = await executePlan(given, never);
    expect(Object.fromEntries(states)).toEqual({
      bad: "failed",
      long: "cancelled",
      later: "cancelled",
    });
    expect(moves).toContain("long cancel");
    const [first] = outcomes.values();
    expect(first).toMatchObject({ ok: false, failure: { message: "wrong key" } });
  });

  it("an abort ends every step, and nothing new starts", async () => {
    const stop = new AbortController();
    const plan = planOf({ a: [], b: ["a"] });
    const { execution: given, moves } = execution(plan, (_, signal) => untilAborted(signal));
    const walked = executePlan(given, stop.signal);
    await sleep(5);
    stop.abort(new Error("stopped"));
    await walked;
    expect(moves).not.toContain("b start");
  });
});

describe("a journal that cannot be written", () => {
  it("ends the walk with its error, also where the end of a step cannot be recorded while another is being started", async () => {
    const plan = planOf({ a: [], b: [], c: [] });
    const { execution: given } = execution(
      plan,
      async () => DONE,
      async (move) => {
        if (move === "b start") await sleep(30);
        if (move === "a succeed") throw new Error("disk full");
      },
    );
    await expect(executePlan(given, never)).rejects.toThrow("disk full");
  });

  it("aborts what is under way and waits for it", async () => {
    let ended = false;
    const plan = planOf({ a: [], b: [] });
    const { execution: given } = execution(
      plan,
      async (id, signal) => {
        if (id === "a") return DONE;
        return untilAborted(signal).finally(() => {
          ended = true;
        });
      },
      async (move) => {
        if (move === "a succeed") throw new Error("disk full");
      },
    );
    await expect(executePlan(given, never)).rejects.toThrow("disk full");
    expect(ended).toBe(true);
  });
});
