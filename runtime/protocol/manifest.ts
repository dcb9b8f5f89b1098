import { z } from "zod";
import { CapabilitySource } from "./capability.js";
import { Name } from "./ids.js";

/** An agent manifest as its YAML file says it; the field names are the seed's. */
export const Manifest = z.strictObject({
  name: Name,
  model: z.string().min(1),
  /** Inline text, or a file beside the manifest. */
  system_prompt: z.union([z.string().min(1), z.strictObject({ file: z.string().min(1) })]),
  lifecycle: z.enum(["on-demand", "persistent", "scheduled"]).default("on-demand"),
  capabilities: z.array(CapabilitySource).default([]),
  approval_required: z.array(z.string()).default([]),
  memory: z
    .strictObject({
      /** Tokens, or text such as `128k` (k = 1024). */
      context_window: z.union([z.int().positive(), z.string().regex(/^\d+k?$/i)]).optional(),
      max_history_messages: z.int().positive().default(100),
      summarization_model: z.string().optional(),
      summarization_threshold: z.number().gt(0).lt(1).default(0.7),
      archive_ttl_days: z.int().positive().optional(),
      episodic_enabled: z.boolean().default(false),
      episodic_max_records: z.int().positive().default(10_000),
      episodic_max_content_bytes: z.int().positive().default(4_096),
    })
    .prefault({}),
  budget_config: z
    .strictObject({
      max_tokens: z.int().positive(),
      /** 0 never resets. */
      reset_period_seconds: z.int().min(0).default(3_600),
    })
    .optional(),
  metadata: z.record(z.string(), z.unknown()).default({}),
});
export type Manifest = z.infer<typeof Manifest>;
