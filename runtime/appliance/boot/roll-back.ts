import { readFileSync } from "node:fs";
import { AgentdError } from "../../protocol/agentd-error.js";
import { otherSlot, type Slot } from "../../protocol/slots.js";
import type { Machine } from "../machine.js";
import { changeEnvironment, withBootPartition } from "./boot-environment.js";
import { openSlotRecords, SLOT_FILES, type SlotRecords } from "./slot-records.js";
import { runningSlot, VERSION_FILE } from "./slots-status.js";

export interface RolledBack {
  readonly slot: Slot;
  readonly version: string;
}

/** Wants the other slot at the next start. Only one that was once found healthy: a way back must not be a way into the unknown. */
export async function rollBack(machine: Machine): Promise<RolledBack> {
  const slot = runningSlot(machine);
  const version = readFileSync(VERSION_FILE, "utf8").trim();
  const records = openSlotRecords(SLOT_FILES);
  return withBootPartition(machine, (folder) =>
    rollBackFrom(folder, records, { slot, version, time: new Date().toISOString() }),
  );
}

/** What is left this way is left for good by whatever upgrades by itself: its verdict says so, and is on the disk before it is left. */
export function rollBackFrom(
  folder: string,
  records: SlotRecords,
  left: { readonly slot: Slot; readonly version: string; readonly time: string },
): RolledBack {
  const slot = otherSlot(left.slot);
  const { state } = changeEnvironment(folder, left.slot, []);
  if (!state.slots[slot].confirmed)
    throw new AgentdError("unavailable", "roll back", `slot ${slot} was never found healthy`, {
      hint: "`agentd system status` shows both slots; `agentd system upgrade --allow-downgrade FILE` installs an older version.",
    });
  const { version, time } = left;
  records.writeVerdict(left.slot, { ok: false, version, time, reason: "an operator went back" });
  changeEnvironment(folder, left.slot, [{ type: "wanted", slot }]);
  return { slot, version: records.image(slot)?.version ?? "unknown" };
}
