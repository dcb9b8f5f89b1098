import { isLetGo, throwIfLetGo } from "../agent/let-go.js";
import { AgentdError } from "../protocol/agentd-error.js";
import type { NewEvent } from "../protocol/event.js";
import type { StepId } from "../protocol/ids.js";
import type { Plan, PlanStep } from "../protocol/plan.js";
import { type StepMove, type StepState, transitionStep } from "../protocol/step.js";
import { blockedSteps, readySteps } from "./dag.js";
import { type Failure, failureOf, RunEnded } from "./failure.js";
import { openUnderWay } from "./under-way.js";

/** What one step came to. `text` is its agent's last reply, `outputs` the files it promised and made. */
export type StepOutcome =
  | { readonly ok: true; readonly text: string; readonly outputs: readonly string[] }
  | { readonly ok: false; readonly failure: Failure };

/** Where the steps of a plan stand before it is executed, or executed on. One that is not named waits. */
export interface Standing {
  readonly steps: ReadonlyMap<StepId, { readonly state: StepState }>;
  readonly outcomes: ReadonlyMap<StepId, StepOutcome>;
}

/** What carrying a step out came to. */
export interface StepEnd {
  readonly outcome: StepOutcome;
  /** What ends its agent in the journal, to be written with what follows from the outcome. */
  readonly farewell?: readonly NewEvent[];
  /** Called once all is written, or cannot be: who stopped the agent waits for that. */
  readonly written?: () => void;
}

export interface Execution {
  readonly plan: Plan;
  readonly standing: Standing;
  readonly maxParallel: number;
  /** Carry out one step; never throws for what an agent, a tool or a model does. */
  readonly runStep: (step: PlanStep, signal: AbortSignal) => Promise<StepEnd>;
  /** Make a step's new state durable. */
  readonly moved: (
    step: PlanStep,
    change: { move: StepMove; from: StepState; to: StepState },
    end?: StepEnd,
  ) => Promise<void>;
}

export interface Executed {
  readonly states: ReadonlyMap<StepId, StepState>;
  readonly outcomes: ReadonlyMap<StepId, StepOutcome>;
}

/**
 * Walk the DAG from where it stands: a step that was under way goes on, and another starts as soon as its own dependencies have
 * succeeded. When one fails the others go on, and only what depends on it is skipped, unless the failure is fatal: then what is under
 * way is cancelled. Returns when nothing is under way; throws what `moved` threw, and `LetGo`, when nothing is under way any more,
 * where the rest is to be done later: `rest` aborts, or `signal` for that reason.
 */
export async function executePlan(
  execution: Execution,
  signal: AbortSignal,
  rest: AbortSignal = signal,
): Promise<Executed> {
  const { plan, standing } = execution;
  const states = new Map<StepId, StepState>(
    plan.steps.map(({ id }) => [id, standing.steps.get(id)?.state ?? "waiting"]),
  );
  const outcomes = new Map<StepId, StepOutcome>(standing.outcomes);
  const underWay = openUnderWay();
  // Steps whose start is being recorded are no longer ready; those that are ready together share the journal's sync.
  const begun = new Set<StepId>();
  const fatal = new AbortController();
  const stop = AbortSignal.any([signal, fatal.signal]);

  const move = async (step: PlanStep, how: StepMove, end?: StepEnd): Promise<void> => {
    const from = states.get(step.id) ?? "waiting";
    const to = transitionStep(from, how);
    if (to === undefined)
      throw new AgentdError("illegal_transition", "move step", `${step.id}: ${how} from ${from}`);
    await execution.moved(step, { move: how, from, to }, end);
    states.set(step.id, to);
  };

  const endIfFatal = (step: StepId, outcome: StepOutcome): void => {
    if (!outcome.ok && outcome.failure.class === "fatal")
      fatal.abort(new RunEnded("cancelled", `step ${step} failed: ${outcome.failure.message}`));
  };

  const carryOut = async (step: PlanStep): Promise<void> => {
    if (states.get(step.id) === "waiting") await move(step, "start");
    const end = await execution.runStep(step, stop).catch((thrown) => failedStep(thrown, stop));
    try {
      outcomes.set(step.id, end.outcome);
      await move(step, endingMove(end.outcome, stop), end);
    } finally {
      end.written?.();
    }
    endIfFatal(step.id, end.outcome);
  };

  const startReady = async (): Promise<void> => {
    if (!stop.aborted) for (const step of blockedSteps(plan, states)) await move(step, "skip");
    // What was under way is taken up even where all is to end: it has to end, too.
    const going = plan.steps.filter(({ id }) => states.get(id) === "running");
    const ready = stop.aborted || rest.aborted ? going : [...going, ...readySteps(plan, states)];
    const next = ready.filter(({ id }) => !begun.has(id));
    for (const step of next.slice(0, Math.max(0, execution.maxParallel - underWay.count()))) {
      begun.add(step.id);
      underWay.add(carryOut(step));
    }
  };

  for (const [step, outcome] of outcomes) endIfFatal(step, outcome);
  try {
    for (;;) {
      await startReady();
      if (underWay.isIdle()) break;
      await underWay.nextEnd();
    }
  } catch (thrown) {
    // Let go of, the others come to rest by themselves. A journal that cannot be written: nothing may go on unrecorded.
    if (!isLetGo(thrown)) fatal.abort(thrown);
    await underWay.settled();
    throw thrown;
  }
  throwIfLetGo(signal);
  const waiting = plan.steps.filter(({ id }) => states.get(id) === "waiting");
  if (!stop.aborted && waiting.length > 0) throwIfLetGo(rest);
  for (const step of waiting) await move(step, "cancel");
  return { states, outcomes };
}

function failedStep(thrown: unknown, stop: AbortSignal): StepEnd {
  const reason: unknown = stop.aborted ? stop.reason : thrown;
  if (isLetGo(reason)) throw reason;
  return { outcome: { ok: false, failure: failureOf(reason) } };
}

function endingMove(outcome: StepOutcome, stop: AbortSignal): StepMove {
  if (outcome.ok) return "succeed";
  return stop.aborted && outcome.failure.code === "cancelled" ? "cancel" : "fail";
}
