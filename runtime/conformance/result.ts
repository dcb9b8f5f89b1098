import { z } from "zod";

/** What one run of the suite found out. An answer is that of the probe; null where it was not tried, for the reason in the data. */
export const Row = z.strictObject({
  id: z.string(),
  bare: z.string().nullable(),
  confined: z.string(),
  /** The answer without one layer. */
  without: z.record(z.string(), z.string()),
  /** By the name of the other sandbox. */
  others: z.record(z.string(), z.string()),
});
export type Row = z.infer<typeof Row>;

/** An attempt through a real tool. */
export const ToolRow = z.strictObject({
  id: z.string(),
  bare: z.string().nullable(),
  confined: z.string(),
  /** With the check of the tokens left out. */
  unchecked: z.string().nullable(),
});
export type ToolRow = z.infer<typeof ToolRow>;

export const Measured = z.strictObject({
  date: z.string(),
  kernel: z.string(),
  arch: z.string(),
  uid: z.int(),
  landlock_abi: z.int(),
  /** As the launcher reported it at the last launch. */
  enforced: z.record(z.string(), z.string()),
  /** The other sandboxes with their versions; or why one could not be run. */
  others: z.record(z.string(), z.string()),
  rows: z.array(Row),
  tools: z.array(ToolRow),
});
export type Measured = z.infer<typeof Measured>;
