import { existsSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { syncDirectory } from "../../store/sync-directory.js";
import { writeFileWhole } from "../write-file.js";

type At = (path: string) => string;

/** aaos-provision.service looks for it, too. */
const MARK = "/etc/aaos/.applying";

/**
 * From before the first change of a first boot until its source holds no secret any more: what a power cut left half done in between
 * is known by it, and done at the next boot.
 */
export function beginApplying(at: At): void {
  writeFileWhole(at(MARK), "", { mode: 0o644 });
}

export function isApplying(at: At): boolean {
  return existsSync(at(MARK));
}

export function endApplying(at: At): void {
  if (!isApplying(at)) return;
  rmSync(at(MARK));
  syncDirectory(dirname(at(MARK)));
}
