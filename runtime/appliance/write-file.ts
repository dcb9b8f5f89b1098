import { randomBytes } from "node:crypto";
import {
  chmodSync,
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname } from "node:path";
import { syncDirectory } from "../store/sync-directory.js";

/**
 * Writes a file whole or not at all, whatever happens meanwhile: beside it under another name, synced, moved into its place, and the
 * folder synced. Makes a missing folder with `dirMode`; an existing one keeps its own. An existing link is replaced, never followed.
 */
export function writeFileWhole(
  file: string,
  text: string,
  { mode, dirMode = 0o755 }: { readonly mode: number; readonly dirMode?: number },
): void {
  const dir = dirname(file);
  mkdirSync(dir, { recursive: true, mode: dirMode });
  const partial = `${dir}/.${randomBytes(8).toString("hex")}.partial`;
  const fd = openSync(partial, "wx", mode);
  try {
    try {
      writeFileSync(fd, text); // all of it, or an error: one write may take a part
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    chmodSync(partial, mode); // whatever the mask said
    renameSync(partial, file);
  } catch (thrown) {
    rmSync(partial, { force: true });
    throw thrown;
  }
  syncDirectory(dir);
}
