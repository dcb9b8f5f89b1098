import { type BigIntStats, constants, promises as fs } from "node:fs";
import { dirname } from "node:path";
import { errnoOf } from "../base/error-text.js";

/** What a file was like before a step; two prints differ as soon as somebody wrote, replaced or made the file. */
type Print = string;

/** Prints of the outputs that a step is about to make, so that a leftover of another run does not pass for its work. */
export async function printOutputs(paths: readonly string[]): Promise<ReadonlyMap<string, Print>> {
  const prints = new Map<string, Print>();
  for (const path of paths) prints.set(path, await printOf(path));
  return prints;
}

/** Those of the promised files that are absent, no regular file, or untouched since `before`. */
export async function missingOutputs(
  before: ReadonlyMap<string, Print>,
): Promise<readonly string[]> {
  const missing: string[] = [];
  for (const [path, print] of before) {
    const now = await printOf(path);
    if (now === ABSENT || now === print) missing.push(path);
  }
  return missing;
}

/** Makes files that are there survive a power cut: file and directory are synced. Absent ones are passed over. */
export async function syncFiles(paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    await syncOne(path);
    await syncOne(dirname(path));
  }
}

const ABSENT: Print = "absent";

async function printOf(path: string): Promise<Print> {
  try {
    const stats = await fs.lstat(path, { bigint: true });
    return stats.isFile() ? printOfStats(stats) : ABSENT;
  } catch (thrown) {
    const errno = errnoOf(thrown);
    if (errno === "ENOENT" || errno === "ENOTDIR" || errno === "EACCES") return ABSENT;
    throw thrown;
  }
}

function printOfStats(stats: BigIntStats): Print {
  // Not the device: its number may be another after the machine was started anew.
  return [stats.ino, stats.size, stats.mtimeNs, stats.ctimeNs].join(":");
}

// An agent may have put a link or a pipe where its file was: neither is followed nor waited for.
const NO_FILE = new Set(["ENOENT", "EACCES", "ELOOP", "EINVAL", "ENXIO"]);
const SYNC_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

async function syncOne(path: string): Promise<void> {
  try {
    const handle = await fs.open(path, SYNC_FLAGS);
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch (thrown) {
    const errno = errnoOf(thrown);
    // Write-only for us, gone again, or no file any more: what it promises is checked elsewhere.
    if (errno !== undefined && NO_FILE.has(errno)) return;
    throw thrown;
  }
}
