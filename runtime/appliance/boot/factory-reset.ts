import type { Machine } from "../machine.js";
import { writeFileWhole } from "../write-file.js";

/** On the data volume, where the initramfs (scripts/local-bottom/aaos) looks before anything of the old is in use. */
const WISH = "/mnt/data/.factory-reset";

/** Asks the next start for it, once. */
export function factoryReset(machine: Machine, keepAccess: boolean): void {
  writeFileWhole(machine.at(WISH), keepAccess ? "keep\n" : "wipe\n", { mode: 0o600 });
}
