import { z } from "zod";

/** One goal being carried out. Ended states are never left. */
export const RunState = z.enum([
  "queued",
  "planning",
  "running",
  "paused",
  "waiting_approval",
  "succeeded",
  "failed",
  "cancelled",
]);
export type RunState = z.infer<typeof RunState>;

/**
 * What may happen to a run. `replan` goes back to planning and keeps what has succeeded; `resume` puts a paused run back into the
 * queue, from which it goes on where its journal says.
 */
export const RunMove = z.enum([
  "plan",
  "execute",
  "replan",
  "pause",
  "resume",
  "await_approval",
  "approval_settled",
  "succeed",
  "fail",
  "cancel",
]);
export type RunMove = z.infer<typeof RunMove>;

const LEGAL: Readonly<Record<RunState, Readonly<Partial<Record<RunMove, RunState>>>>> = {
  queued: {
    plan: "planning",
    execute: "running",
    pause: "paused",
    fail: "failed",
    cancel: "cancelled",
  },
  planning: { execute: "running", pause: "paused", fail: "failed", cancel: "cancelled" },
  running: {
    replan: "planning",
    pause: "paused",
    await_approval: "waiting_approval",
    succeed: "succeeded",
    fail: "failed",
    cancel: "cancelled",
  },
  paused: { resume: "queued", fail: "failed", cancel: "cancelled" },
  waiting_approval: {
    approval_settled: "running",
    pause: "paused",
    fail: "failed",
    cancel: "cancelled",
  },
  succeeded: {},
  failed: {},
  cancelled: {},
};

/** The state after `move`, or undefined where the move is illegal. Pure. */
export function transitionRun(state: RunState, move: RunMove): RunState | undefined {
  return LEGAL[state][move];
}

/** True once nothing more can happen to the run. */
export function isRunEnded(state: RunState): boolean {
  return Object.keys(LEGAL[state]).length === 0;
}

/** `auto` lets the planner's rules choose; `persistent` is the seed's word for `direct`. */
export const Orchestration = z.enum(["auto", "plan", "direct", "persistent"]);
export type Orchestration = z.infer<typeof Orchestration>;

/** What an operator submits. */
export const RunRequest = z.strictObject({
  goal: z.string().trim().min(1).max(65_536),
  orchestration: Orchestration.default("auto"),
  /** One agent of this role, no planner. */
  role: z.string().min(1).optional(),
  params: z.record(z.string(), z.union([z.string(), z.array(z.string())])).default({}),
  max_tokens: z.int().positive().optional(),
  max_usd: z.number().positive().optional(),
  timeout_ms: z.int().positive().optional(),
});
export type RunRequest = z.infer<typeof RunRequest>;
