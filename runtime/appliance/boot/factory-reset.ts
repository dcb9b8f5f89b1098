import type { Machine } from "../machine.js";
import { changeEnvironment, withBootPartition } from "./boot-environment.js";
import { runningSlot } from "./slots-status.js";

/** Asks the next start for it, once: the initramfs does it, before anything of the old is in use. */
export async function factoryReset(machine: Machine, keepAccess: boolean): Promise<void> {
  const argument = `aaos.factory-reset=${keepAccess ? "keep" : "wipe"}`;
  const running = runningSlot(machine);
  await withBootPartition(machine, (folder) =>
    changeEnvironment(folder, running, [{ type: "once", argument }]),
  );
}
