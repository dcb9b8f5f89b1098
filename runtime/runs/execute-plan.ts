import { AgentdError } from "../protocol/agentd-error.js";
import type { StepId } from "../protocol/ids.js";
import type { Plan, PlanStep } from "../protocol/plan.js";
import type { StepMove, StepState } from "../protocol/step.js";
import { transitionStep } from "../protocol/step.js";
import { blockedSteps, readySteps } from "./dag.js";
import { type Failure, failureOf, RunEnded } from "./failure.js";
import { openUnderWay } from "./under-way.js";

/** What one step came to. `text` is its agent's last reply, `outputs` the files it promised and made. */
export type StepOutcome =
  | { readonly ok: true; readonly text: string; readonly outputs: readonly string[] }
  | { readonly ok: false; readonly failure: Failure };

export interface Execution {
  readonly plan: Plan;
  /** Steps of an earlier plan that have succeeded and are not run again. */
  readonly kept: ReadonlyMap<StepId, StepOutcome>;
  readonly maxParallel: number;
  /** Carry out one step; never throws for what an agent, a tool or a model does. */
  readonly runStep: (step: PlanStep, signal: AbortSignal) => Promise<StepOutcome>;
  /** Make a step's new state durable. */
  readonly moved: (
    step: PlanStep,
    change: { move: StepMove; from: StepState; to: StepState },
    outcome?: StepOutcome,
  ) => Promise<void>;
}

export interface Executed {
  readonly states: ReadonlyMap<StepId, StepState>;
  readonly outcomes: ReadonlyMap<StepId, StepOutcome>;
}

/**
 * Walk the DAG: a step starts as soon as its own dependencies have succeeded. When one fails the others go on, and only what
 * depends on it is skipped, unless the failure is fatal: then what is under way is cancelled. Returns when nothing is under way;
 * throws what `moved` threw.
 */
export async function executePlan(execution: Execution, signal: AbortSignal): Promise<Executed> {
  const { plan, kept } = execution;
  const states = new Map<StepId, StepState>(
    plan.steps.map(({ id }) => [id, kept.has(id) ? "succeeded" : "waiting"]),
  );
  const outcomes = new Map<StepId, StepOutcome>(kept);
  const underWay = openUnderWay();
  // Steps whose start is being recorded are no longer ready; those that are ready together share the journal's sync.
  const begun = new Set<StepId>();
  const fatal = new AbortController();
  const stop = AbortSignal.any([signal, fatal.signal]);

  const move = async (step: PlanStep, how: StepMove, outcome?: StepOutcome): Promise<void> => {
    const from = states.get(step.id) ?? "waiting";
    const to = transitionStep(from, how);
    if (to === undefined)
      throw new AgentdError("illegal_transition", "move step", `${step.id}: ${how} from ${from}`);
    await execution.moved(step, { move: how, from, to }, outcome);
    states.set(step.id, to);
  };

  const carryOut = async (step: PlanStep): Promise<void> => {
    await move(step, "start");
    const outcome = await execution.runStep(step, stop).catch(
      (thrown: unknown): StepOutcome => ({
        ok: false,
        failure: failureOf(stop.aborted ? stop.reason : thrown),
      }),
    );
    outcomes.set(step.id, outcome);
    await move(step, endingMove(outcome, stop), outcome);
    if (!outcome.ok && outcome.failure.class === "fatal")
      fatal.abort(new RunEnded("cancelled", `step ${step.id} failed: ${outcome.failure.message}`));
  };

  const startReady = async (): Promise<void> => {
    for (const step of blockedSteps(plan, states)) await move(step, "skip");
    if (stop.aborted) return;
    const ready = readySteps(plan, states).filter(({ id }) => !begun.has(id));
    for (const step of ready.slice(0, execution.maxParallel - underWay.count())) {
      begun.add(step.id);
      underWay.add(carryOut(step));
    }
  };

  try {
    for (;;) {
      if (!stop.aborted) await startReady();
      if (underWay.isIdle()) break;
      await underWay.nextEnd();
    }
  } catch (thrown) {
    // The journal cannot be written: nothing may go on unrecorded.
    fatal.abort(thrown);
    await underWay.settled();
    throw thrown;
  }
  for (const step of plan.steps) {
    if (states.get(step.id) === "waiting") await move(step, "cancel");
  }
  return { states, outcomes };
}

function endingMove(outcome: StepOutcome, stop: AbortSignal): StepMove {
  if (outcome.ok) return "succeed";
  return stop.aborted && outcome.failure.code === "cancelled" ? "cancel" : "fail";
}
