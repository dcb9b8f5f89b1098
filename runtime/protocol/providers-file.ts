import { z } from "zod";
import { Name } from "./ids.js";
import { STRUCTURED_MODES } from "./model.js";

const shared = {
  /** Seconds without a byte before a call is given up. */
  timeout_s: z.number().positive().max(3_600).default(120),
  max_retries: z.int().min(0).max(20).default(4),
  /** Calls at the same time; default `model_slots` of agentd.yaml. */
  slots: z.int().min(1).max(1_000).optional(),
  /** Name of a secret in /etc/aaos/credentials or of a systemd credential; none means no key is sent. */
  credential: Name.optional(),
};

export const ProviderEntry = z.discriminatedUnion("api", [
  z.strictObject({
    api: z.literal("openai"),
    base_url: z.url({ protocol: /^https?$/ }).optional(),
    ...shared,
  }),
  z.strictObject({
    api: z.literal("anthropic"),
    base_url: z.url({ protocol: /^https?$/ }).optional(),
    ...shared,
  }),
  z.strictObject({ api: z.literal("builtin") }),
]);
export type ProviderEntry = z.infer<typeof ProviderEntry>;

/** What is known of a model; an unknown model is allowed and gets the defaults. */
export const ModelEntry = z.strictObject({
  provider: Name,
  context: z.int().positive().default(128_000),
  max_output: z.int().positive().default(8_192),
  usd_per_mtok: z
    .strictObject({ input: z.number().min(0).default(0), output: z.number().min(0).default(0) })
    .prefault({}),
  /** Whether the API is told to think; `default` says nothing. Planner calls never think where it can be told. */
  thinking: z.enum(["default", "disabled"]).default("default"),
  /** The ways of asking for JSON that the model serves, strongest first. */
  structured: z
    .array(z.enum(STRUCTURED_MODES))
    .min(1)
    .default([...STRUCTURED_MODES]),
});
export type ModelEntry = z.infer<typeof ModelEntry>;

/** `/etc/aaos/providers.yaml`. `default` absent, or its key missing, means the builtin provider. */
export const ProvidersFile = z.strictObject({
  default: Name.optional(),
  providers: z.record(Name, ProviderEntry).default({}),
  models: z.record(z.string().min(1), ModelEntry).default({}),
  aliases: z.record(Name, z.string().min(1)).default({}),
});
export type ProvidersFile = z.infer<typeof ProvidersFile>;
