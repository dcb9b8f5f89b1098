import { leftSlot, type Slot } from "../../protocol/slots.js";
import { changeEnvironment } from "./boot-environment.js";
import type { Fallback, SlotRecords } from "./slot-records.js";

export interface Proven {
  readonly slot: Slot;
  readonly version: string;
  readonly time: string;
}

/**
 * Keeps the running slot, which has proved itself; gives the story of the one that the boot chooser left for it. That one is marked as
 * failed and has a verdict from now on, so that no schedule installs its version again. A slot that was asked for while the proof ran
 * stays wanted, and what its asking said of the running one stays said. The story is on the disk before the environment forgets whose it
 * is: after a power cut between the two it is told again, never lost.
 */
export function keepSlot(
  folder: string,
  records: SlotRecords,
  { slot, version, time }: Proven,
): Fallback | undefined {
  const left = leftSlot(changeEnvironment(folder, slot, []).state, slot);
  const story = left === undefined ? undefined : tellLeft(left, records, { slot, version, time });
  const lost = left === undefined ? [] : [{ type: "failed", slot: left } as const];
  const { state } = changeEnvironment(folder, slot, [...lost, { type: "healthy", slot }]);
  if (state.order[0] === slot) records.writeVerdict(slot, { ok: true, version, reason: "", time });
  return story;
}

function tellLeft(left: Slot, records: SlotRecords, { slot, time }: Proven): Fallback {
  const verdict = records.verdict(left);
  const reason = verdict?.ok === false ? verdict.reason : "it never came up";
  const version = records.image(left)?.version ?? verdict?.version ?? "unknown";
  if (verdict?.ok !== false) records.writeVerdict(left, { ok: false, version, reason, time });
  const fallback: Fallback = { from: left, to: slot, version, reason, time };
  records.writeFallback(fallback);
  return fallback;
}
