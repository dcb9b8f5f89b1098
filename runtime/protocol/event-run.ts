import { z } from "zod";
import { StepId } from "./ids.js";
import { Json } from "./json.js";
import { Usage } from "./model.js";
import { Plan } from "./plan.js";
import { Orchestration, RunMove, RunState } from "./run.js";
import { FailureClass, StepMove, StepState } from "./step.js";

/** What happens to runs, plans and steps. */
export const RunEvents = [
  z.strictObject({
    kind: z.literal("run_submitted"),
    goal: z.string(),
    orchestration: Orchestration,
    role: z.string().optional(),
    params: z.record(z.string(), z.union([z.string(), z.array(z.string())])),
    max_tokens: z.int().optional(),
    max_usd: z.number().optional(),
    timeout_ms: z.int().optional(),
    /** Uid of who submitted it; null where the socket could not tell. */
    owner_uid: z.int().nullable(),
  }),
  z.strictObject({
    kind: z.literal("run_state_changed"),
    move: RunMove,
    from: RunState,
    to: RunState,
    reason: z.string().optional(),
    /** Error code of the catalogue, for `failed`. */
    error: z.string().optional(),
  }),
  /** A daemon took the run up from its journal; what another had under way when it ended. */
  z.strictObject({
    kind: z.literal("run_recovered"),
    state: RunState,
    steps_under_way: z.array(StepId),
  }),
  z.strictObject({
    kind: z.literal("run_result"),
    final_output: z.string(),
    final_text: z.string(),
    documents: z.array(z.string()),
    usage: Usage,
  }),
  z.strictObject({
    kind: z.literal("orchestration_selected"),
    mode: z.enum(["decompose", "direct"]),
    source: z.enum(["explicit", "auto"]),
    reason: z.string().optional(),
  }),
  z.strictObject({
    kind: z.literal("plan_produced"),
    plan: Plan,
    subtask_count: z.int(),
    replans_used: z.int(),
    /** Steps of the plan before that have succeeded and stay as they are; all others begin anew. */
    kept: z.array(StepId),
    /** Print of the final output as this plan found it, so that a leftover does not pass for its work. */
    document_before: z.string(),
  }),
  z.strictObject({
    kind: z.literal("plan_rejected"),
    problems: z.array(z.string()),
    attempt: z.int(),
  }),
  z.strictObject({
    kind: z.literal("plan_replanned"),
    reason: z.string(),
    kept: z.array(z.string()),
  }),
  z.strictObject({
    kind: z.literal("subtask_started"),
    subtask_id: z.string(),
    role: z.string(),
    model: z.string().optional(),
    attempt: z.int(),
  }),
  z.strictObject({
    kind: z.literal("subtask_completed"),
    subtask_id: z.string(),
    success: z.boolean(),
    text: z.string().optional(),
    outputs: z.array(z.string()),
    usage: Usage,
    error: z.string().optional(),
    reason: z.string().optional(),
    /** For a failure: what may be done about it, and what the operator may do. */
    class: FailureClass.optional(),
    hint: z.string().optional(),
  }),
  z.strictObject({
    kind: z.literal("step_state_changed"),
    subtask_id: z.string(),
    move: StepMove,
    from: StepState,
    to: StepState,
    reason: z.string().optional(),
  }),
  z.strictObject({
    kind: z.literal("subtask_ttl_expired"),
    subtask_id: z.string(),
    reason: z.enum(["hops_exhausted", "wall_clock_exceeded", "dependency_ttl_cascade"]),
  }),
  z.strictObject({
    kind: z.literal("subtask_model_escalated"),
    subtask_id: z.string(),
    from_tier: z.int(),
    to_tier: z.int(),
    from_model: z.string(),
    to_model: z.string(),
    reason: z.enum(["replan_retry", "tool_repeat_guard", "max_tokens"]),
  }),
  z.strictObject({
    kind: z.literal("subtask_output_missing"),
    subtask_id: z.string(),
    declared_path: z.string(),
  }),
  /** An operator gave a budget more room, for this run alone. */
  z.strictObject({
    kind: z.literal("budget_raised"),
    scope: z.enum(["run", "step"]),
    unit: z.enum(["tokens", "usd"]),
    /** Null: that ceiling is lifted. */
    by: z.number().positive().nullable(),
    approval_id: z.string(),
  }),
  z.strictObject({ kind: z.literal("planner_reply"), text: z.string(), meta: Json.optional() }),
] as const;
