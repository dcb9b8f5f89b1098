import { z } from "zod";
import { OfferDenials } from "./approval.js";
import { CapabilitySource } from "./capability.js";
import { Name } from "./ids.js";

/** A role's parameter. `path` must be absolute; `string_list` is a list of strings. `aliases` are other names accepted on input. */
export const RoleParameter = z.strictObject({
  type: z.enum(["string", "path", "string_list"]).default("string"),
  required: z.boolean().default(false),
  description: z.string().default(""),
  aliases: z.array(z.string()).default([]),
});
export type RoleParameter = z.infer<typeof RoleParameter>;

/** Ceilings of one agent of the role. A breach ends the step with `budget_exceeded`. */
const RoleBudget = z.strictObject({
  max_input_tokens: z.int().positive().optional(),
  max_output_tokens: z.int().positive().optional(),
  max_tokens: z.int().positive().optional(),
  max_usd: z.number().positive().optional(),
  max_wall_clock_s: z.number().positive().optional(),
  /** `ask`: an operator may raise a budget that is used up; the step waits for that. `fail`: it ends. */
  on_exceeded: z.enum(["fail", "ask"]).default("fail"),
});

/** Why a step that failed may be tried again by a stronger model of the ladder. */
const EscalationSignal = z.enum(["replan_retry", "tool_repeat_guard", "max_tokens"]);

const ParameterName = z
  .string()
  .regex(/^[a-z][a-z0-9_]*$/, "takes lower-case letters, digits and '_'");

/** A role as its YAML file says it. `{param}` in `capabilities` and `message_template` is expanded once, as data. */
export const Role = z.strictObject({
  name: Name,
  /** An alias or a model id. */
  model: z.string().min(1).default("fast"),
  system_prompt: z.string().min(1),
  message_template: z.string().min(1),
  parameters: z.record(ParameterName, RoleParameter).default({}),
  capabilities: z.array(CapabilitySource).default([]),
  budget: RoleBudget.prefault({}),
  retry: z
    .strictObject({
      max_attempts: z.int().min(1).max(10).default(1),
      on: z.array(z.string()).default([]),
    })
    .optional(),
  priority: z.int().min(0).max(255).default(128),
  model_ladder: z.array(z.string().min(1)).default([]),
  escalate_on: z
    .array(EscalationSignal)
    .default(["replan_retry", "tool_repeat_guard", "max_tokens"]),
  /** Deterministic code instead of a model: the step's agent runs this scaffold. */
  scaffold: z.strictObject({ kind: z.enum(["fetcher"]) }).optional(),
  orchestration: z
    .strictObject({
      max_iterations: z.int().min(1).max(500).default(50),
      commit_nudges: z.int().min(0).max(10).default(0),
    })
    .prefault({}),
  require_declared_output: z.boolean().default(false),
  approval_required: z.array(z.string()).default([]),
  /** In place of `approvals.offer_denials` of agentd.yaml. */
  offer_denials: OfferDenials.optional(),
  skills: z.array(z.string()).default([]),
});
export type Role = z.infer<typeof Role>;
