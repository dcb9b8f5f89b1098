import { z } from "zod";

/** One node of a plan being carried out. `skipped`: a dependency failed. Ended states are never left. */
export const StepState = z.enum([
  "waiting",
  "running",
  "succeeded",
  "failed",
  "skipped",
  "cancelled",
]);
export type StepState = z.infer<typeof StepState>;

export const StepMove = z.enum(["start", "succeed", "fail", "skip", "cancel"]);
export type StepMove = z.infer<typeof StepMove>;

const LEGAL: Readonly<Record<StepState, Readonly<Partial<Record<StepMove, StepState>>>>> = {
  waiting: { start: "running", skip: "skipped", cancel: "cancelled" },
  running: { succeed: "succeeded", fail: "failed", cancel: "cancelled" },
  succeeded: {},
  failed: {},
  skipped: {},
  cancelled: {},
};

/**
 * What may be done about a failure: `retry` the same thing, `replan` around it, or nothing: `fatal` ends the run, because no
 * other plan could do better.
 */
export const FailureClass = z.enum(["retry", "replan", "fatal"]);
export type FailureClass = z.infer<typeof FailureClass>;

/** The state after `move`, or undefined where the move is illegal. Pure. */
export function transitionStep(state: StepState, move: StepMove): StepState | undefined {
  return LEGAL[state][move];
}
