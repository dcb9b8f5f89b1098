import { z } from "zod";
import { StepId } from "./ids.js";
import { Json } from "./json.js";

/** How long a step may live: in hops of the DAG and in seconds (at most 30 days). */
const StepTtl = z.strictObject({
  max_hops: z.int().min(0).max(1_000).optional(),
  max_wall_clock_s: z.number().positive().max(2_592_000).optional(),
});

export const PlanStep = z.strictObject({
  id: StepId,
  role: z.string().min(1),
  params: z.record(z.string(), Json).default({}),
  depends_on: z.array(StepId).default([]),
  ttl: StepTtl.optional(),
});
export type PlanStep = z.infer<typeof PlanStep>;

/** What a planner makes of a goal: a DAG of steps, and the path (or `{run}/…`) of the document the operator asked for. */
export const Plan = z.strictObject({
  steps: z.array(PlanStep).min(1).max(200),
  final_output: z.string().min(1),
});
export type Plan = z.infer<typeof Plan>;

/** The seed's words on input: `subtasks` for `steps`, `max_wall_clock` for `max_wall_clock_s`; anything else stays as it is. */
export function acceptSeedWords(raw: unknown): unknown {
  if (!isObject(raw)) return raw;
  const { subtasks, ...rest } = raw;
  const steps = rest["steps"] ?? subtasks;
  if (!Array.isArray(steps)) return raw;
  return { ...rest, steps: steps.map(acceptSeedStep) };
}

function acceptSeedStep(raw: unknown): unknown {
  if (!isObject(raw)) return raw;
  const { current_model_tier: _tier, ttl, ...step } = raw;
  if (!isObject(ttl)) return step;
  const { max_wall_clock, ...limits } = ttl;
  return {
    ...step,
    ttl: max_wall_clock === undefined ? limits : { max_wall_clock_s: max_wall_clock, ...limits },
  };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
