import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import type { Slot } from "../../protocol/slots.js";
import { writeFileWhole } from "../write-file.js";

/** What each slot holds and how it fared, on the data volume: root's alone, shared by both slots, kept by every reset. */
export const SLOT_FILES = "/mnt/data/slots";

/** What was written to a slot. */
export const SlotImage = z.object({
  version: z.string(),
  sha256: z.string(),
  size_bytes: z.int().positive(),
});
export type SlotImage = z.infer<typeof SlotImage>;

/** What its proof came to. A slot that never got that far has none. */
export const SlotVerdict = z.object({
  ok: z.boolean(),
  version: z.string(),
  reason: z.string(),
  time: z.string(),
});
export type SlotVerdict = z.infer<typeof SlotVerdict>;

/** One slot was left for the other. */
export const Fallback = z.object({
  from: z.enum(["A", "B"]),
  to: z.enum(["A", "B"]),
  version: z.string(),
  reason: z.string(),
  time: z.string(),
});
export type Fallback = z.infer<typeof Fallback>;

export interface SlotRecords {
  readonly image: (slot: Slot) => SlotImage | undefined;
  readonly verdict: (slot: Slot) => SlotVerdict | undefined;
  readonly fallback: () => Fallback | undefined;
  readonly writeImage: (slot: Slot, image: SlotImage) => void;
  readonly writeVerdict: (slot: Slot, verdict: SlotVerdict) => void;
  readonly writeFallback: (fallback: Fallback) => void;
  /** At its first start the slot takes the other one's settings along: the initramfs, scripts/local-bottom/aaos. */
  readonly carryFrom: (slot: Slot, from: Slot) => void;
  /** The slot is about to hold something else. */
  readonly forget: (slot: Slot) => void;
}

/** Opens the records in a folder; a file that cannot be read is as none. */
export function openSlotRecords(dir: string): SlotRecords {
  const file = (slot: Slot, name: string) => join(dir, slot, name);
  const writeText = (path: string, text: string) => {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    writeFileWhole(path, `${text}\n`, { mode: 0o600, dirMode: 0o700 });
  };
  const write = (path: string, value: unknown) => writeText(path, JSON.stringify(value));
  return {
    image: (slot) => read(file(slot, "image.json"), SlotImage),
    verdict: (slot) => read(file(slot, "verdict.json"), SlotVerdict),
    fallback: () => read(join(dir, "fallback.json"), Fallback),
    carryFrom: (slot, from) => writeText(file(slot, "carry-from"), from),
    writeImage: (slot, image) => write(file(slot, "image.json"), image),
    writeVerdict: (slot, verdict) => write(file(slot, "verdict.json"), verdict),
    writeFallback: (fallback) => write(join(dir, "fallback.json"), fallback),
    forget: (slot) => {
      for (const name of ["image.json", "verdict.json"]) rmSync(file(slot, name), { force: true });
    },
  };
}

function read<T>(path: string, schema: z.ZodType<T>): T | undefined {
  if (!existsSync(path)) return undefined;
  try {
    return schema.parse(JSON.parse(readFileSync(path, "utf8")));
  } catch {
    return undefined;
  }
}
