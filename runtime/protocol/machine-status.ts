import { z } from "zod";

const SlotName = z.enum(["A", "B"]);

/** One slot as `agentd system status` tells of it. */
export const SlotStatus = z.strictObject({
  slot: SlotName,
  /** Null for one that was never written. */
  version: z.string().nullable(),
  /** May be started. */
  bootable: z.boolean(),
  /** Was found healthy since it was written. */
  confirmed: z.boolean(),
  /** Starts since it was last found healthy. */
  tries: z.int(),
  /** What its last proof came to, where it failed. */
  problem: z.string().nullable(),
  /** With `--verify`: whether it still holds what was written to it. */
  intact: z.boolean().nullable(),
});
export type SlotStatus = z.infer<typeof SlotStatus>;

/** Once a slot was left for the other: which, why, when. */
const FallbackStory = z.strictObject({
  from: SlotName,
  to: SlotName,
  version: z.string(),
  reason: z.string(),
  time: z.string(),
});

export const SlotsStatus = z.strictObject({
  running: SlotName,
  version: z.string(),
  /** The slot of the next start. */
  next: SlotName,
  slots: z.array(SlotStatus),
  fallback: FallbackStory.nullable(),
  /** The data volume could not be used: the machine runs on memory. */
  degraded: z.string().nullable(),
  /** The boot environment was torn and has been mended from its copy, or made anew. */
  mended: z.boolean(),
});
export type SlotsStatus = z.infer<typeof SlotsStatus>;
