import { AgentdError } from "../../protocol/agentd-error.js";
import { otherSlot, type Slot } from "../../protocol/slots.js";
import type { Machine } from "../machine.js";
import { changeEnvironment, withBootPartition } from "./boot-environment.js";
import { openSlotRecords, SLOT_FILES } from "./slot-records.js";
import { runningSlot } from "./slots-status.js";

/** Wants the other slot at the next start. Only one that was once found healthy: a way back must not be a way into the unknown. */
export async function rollBack(
  machine: Machine,
): Promise<{ readonly slot: Slot; readonly version: string }> {
  const running = runningSlot(machine);
  const slot = otherSlot(running);
  const records = openSlotRecords(SLOT_FILES);
  return withBootPartition(machine, (folder) => {
    const { state } = changeEnvironment(folder, running, []);
    if (!state.slots[slot].confirmed)
      throw new AgentdError("unavailable", "roll back", `slot ${slot} was never found healthy`, {
        hint: "`agentd system status` shows both slots; `agentd system upgrade --allow-downgrade FILE` installs an older version.",
      });
    changeEnvironment(folder, running, [{ type: "wanted", slot }]);
    return { slot, version: records.image(slot)?.version ?? "unknown" };
  });
}
