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

/** The state after `move`, or undefined where the move is illegal. Pure. */
export function transitionStep(state: StepState, move: StepMove): StepState | undefined {
  return LEGAL[state][move];
}
