import { existsSync, statfsSync } from "node:fs";
import { dirname, join } from "node:path";
import { errorText } from "../../base/error-text.js";
import type { DoctorCheck } from "../../protocol/control-results.js";
import { dataVolumeTrouble } from "../status/data-volume.js";
import { bad, good, poor } from "./check.js";

const MIB = 1_048_576;
const SCARCE_BYTES = 512 * MIB;
const EMPTY_BYTES = 32 * MIB;
const SCARCE_INODES = 1_000;

/** Room where state lies and where goals write. Folders that are not there yet count as the one they will be made in. */
export function diskChecks(dirs: readonly string[]): readonly DoctorCheck[] {
  return [...new Set(dirs.map(nearestExisting))].map(diskCheck);
}

/** Of a machine that has a data volume, and whose volume is not well. */
export function dataVolumeChecks(root: string): readonly DoctorCheck[] {
  const trouble = dataVolumeTrouble((path) => join(root, path));
  if (trouble === null) return [];
  const remedy =
    "Back up (`agentd system backup usb:`) and start again: the start repairs it. Twice: replace the disk.";
  return [bad("data volume", trouble, remedy)];
}

function diskCheck(dir: string): DoctorCheck {
  const name = `disk ${dir}`;
  try {
    const { bavail, bsize, ffree, files } = statfsSync(dir);
    const free = bavail * bsize;
    const detail = `${Math.floor(free / MIB)} MB free`;
    if (free < EMPTY_BYTES) return bad(name, detail, "Free space: runs fail with disk_full.");
    if (free < SCARCE_BYTES)
      return poor(name, detail, "Free space, before runs fail with disk_full.");
    // A file system that counts no inodes tells 0 of 0.
    if (files > 0 && ffree < SCARCE_INODES)
      return poor(name, `${detail}, ${ffree} files can be made`, "Remove files that nobody needs.");
    return good(name, detail);
  } catch (thrown) {
    return bad(name, errorText(thrown), `Let the user of agentd read ${dir}.`);
  }
}

function nearestExisting(dir: string): string {
  return existsSync(dir) || dirname(dir) === dir ? dir : nearestExisting(dirname(dir));
}
