import { LIVE_MEDIUM } from "../../appliance/disk/live-medium.js";
import { namesIfThere, textIfThere } from "../../appliance/if-there.js";
import { mountedAt } from "../../appliance/status/mounted-at.js";

/** Memory, discs and what is made of other disks. */
const NO_DISK = /^(?:loop|zram|ram|sr|fd|dm-)/;

/**
 * Disks that a system could be kept on, by their names in /sys/block: not what cannot be written, and not the medium that the machine
 * was started from.
 */
export function disksHere(at: (path: string) => string): readonly string[] {
  const medium = mountedAt(at, LIVE_MEDIUM)?.device;
  return namesIfThere(at("/sys/block")).filter(
    (name) =>
      !NO_DISK.test(name) &&
      textIfThere(at(`/sys/block/${name}/ro`))?.trim() !== "1" &&
      medium?.startsWith(`/dev/${name}`) !== true,
  );
}
