import { z } from "zod";

/** How much of a budget is used. `reserved` is of calls under way. */
export const BudgetLine = z.strictObject({
  scope: z.enum(["day", "run", "step", "agent"]),
  /** `the run`, `step write`. */
  label: z.string(),
  unit: z.enum(["tokens", "usd", "seconds"]),
  used: z.number(),
  reserved: z.number(),
  limit: z.number(),
});
export type BudgetLine = z.infer<typeof BudgetLine>;

/** How long the newest calls of a model took, in ms. */
export const ModelLatency = z.strictObject({
  provider: z.string(),
  model: z.string(),
  /** How many calls the figures are of. */
  calls: z.int(),
  p50_ms: z.number(),
  p95_ms: z.number(),
});
export type ModelLatency = z.infer<typeof ModelLatency>;

/** The calls of one provider that are under way or wait their turn. */
export const ProviderQueue = z.strictObject({
  provider: z.string(),
  slots: z.int(),
  under_way: z.int(),
  waiting: z.int(),
  /** RFC 3339; null while nothing holds the calls back. */
  held_until: z.string().nullable(),
});
export type ProviderQueue = z.infer<typeof ProviderQueue>;
