import { z } from "zod";
import { ApprovalScope, ApprovalSubject } from "./approval.js";
import { Token } from "./token.js";

const Surface = z.enum(["daemon", "worker"]);
const DenialRecord = z.strictObject({
  layer: z.enum(["token", "policy", "kernel", "egress"]),
  message: z.string(),
  capability: z.string().optional(),
});

/** What happens to tool calls, capability tokens and approvals. */
export const ToolEvents = [
  /** Written before the call has any effect. `call_id` joins it with its result. */
  z.strictObject({
    kind: z.literal("tool_invoked"),
    tool: z.string(),
    call_id: z.string(),
    /** SHA-256 of the canonical input, hex. */
    input_hash: z.string(),
    /** At most 200 bytes, redacted. */
    args_preview: z.string(),
    read_only: z.boolean(),
  }),
  z.strictObject({
    kind: z.literal("tool_result"),
    tool: z.string(),
    call_id: z.string(),
    success: z.boolean(),
    result_preview: z.string(),
    error_kind: z.string().optional(),
    denials: z.array(DenialRecord),
    duration_ms: z.int(),
    /** Where it ran, and what confined it: the layers in force, none while nothing is confined. */
    execution_surface: Surface,
    confinement: z.array(z.string()),
  }),
  z.strictObject({
    kind: z.literal("tool_repeat"),
    tool: z.string(),
    input_hash: z.string(),
    attempt_count: z.int(),
  }),
  z.strictObject({
    kind: z.literal("tool_repeat_guard_fired"),
    tool: z.string(),
    attempt_count: z.int(),
  }),
  z.strictObject({ kind: z.literal("capability_granted"), capability: z.string(), token: Token }),
  z.strictObject({
    kind: z.literal("capability_denied"),
    capability: z.string(),
    reason: z.string(),
    layer: DenialRecord.shape.layer,
    tool: z.string().optional(),
    call_id: z.string().optional(),
  }),
  /** A token that is counted was used once; the tokens it was cut from are counted with it. */
  z.strictObject({
    kind: z.literal("capability_used"),
    token_id: z.string(),
    /** It and those of its line that are limited: what a restart has to count again. */
    counted: z.array(z.string()).optional(),
    capability: z.string(),
    call_id: z.string().optional(),
  }),
  z.strictObject({
    kind: z.literal("capability_revoked"),
    token_id: z.string(),
    capability: z.string(),
    reason: z.string(),
  }),
  /** A grant of a role that the operator's ceiling cut away before the agent had it. */
  z.strictObject({
    kind: z.literal("capability_withheld"),
    capability: z.string(),
    reason: z.string(),
  }),
  z.strictObject({
    kind: z.literal("human_approval_requested"),
    approval_id: z.string(),
    description: z.string(),
    tool: z.string(),
    capability: z.string().optional(),
    subject: ApprovalSubject,
    /** The call that waits, where one does. */
    call_id: z.string().optional(),
    /** Its arguments as JSON text, at most 4 KiB, redacted. */
    input: z.string(),
    expires_at: z.iso.datetime({ precision: 3 }),
  }),
  z.strictObject({
    kind: z.literal("human_approval_granted"),
    approval_id: z.string(),
    scope: ApprovalScope,
  }),
  z.strictObject({
    kind: z.literal("human_approval_denied"),
    approval_id: z.string(),
    reason: z.string(),
  }),
] as const;
