import { readdirSync } from "node:fs";
import { textOr } from "./text-or.js";

/** Memory, discs and what is made of other disks. */
const NO_DISK = /^(?:loop|zram|ram|sr|fd|dm-)/;
const MEDIUM = "/run/live/medium";

/**
 * Disks that a system could be kept on, by their names in /sys/block: not what cannot be written, and not the medium that the machine
 * was started from.
 */
export function disksHere(at: (path: string) => string): readonly string[] {
  const mounts = textOr(at("/proc/mounts")).split("\n");
  const medium = mounts.map((line) => line.split(" ")).find(([, place]) => place === MEDIUM)?.[0];
  return namesIn(at("/sys/block")).filter(
    (name) =>
      !NO_DISK.test(name) &&
      textOr(at(`/sys/block/${name}/ro`)).trim() !== "1" &&
      medium?.startsWith(`/dev/${name}`) !== true,
  );
}

function namesIn(dir: string): readonly string[] {
  try {
    return readdirSync(dir);
  } catch {
    return [];
  }
}
