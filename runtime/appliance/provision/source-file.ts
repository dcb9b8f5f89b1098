import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  fsyncSync,
  lstatSync,
  openSync,
  readSync,
  rmSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import { errnoOf, errorText } from "../../base/error-text.js";
import { syncDirectory } from "../../store/sync-directory.js";
import { writeFileWhole } from "../write-file.js";

export const MAX_BYTES = 1_048_576;

/**
 * A regular file of at most 1 MiB, no link; undefined where there is none. Not by the size that it says it has: files of the kernel
 * say 0.
 */
export function readSourceFile(file: string): string | undefined {
  const stat = lookAt(file);
  if (stat === undefined) return undefined;
  if (!stat.isFile()) throw new Error("it is no regular file");
  const fd = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const bytes = Buffer.alloc(MAX_BYTES + 1);
    let length = 0;
    for (let read = -1; read !== 0 && length < bytes.length; length += read)
      read = readSync(fd, bytes, length, bytes.length - length, null);
    if (length > MAX_BYTES) throw new Error("it is larger than 1024 KiB");
    return bytes.toString("utf8", 0, length);
  } finally {
    closeSync(fd);
  }
}

/** Puts what holds no secret into the place of what did: over it first, for what is only replaced is still on the medium. */
export function wipeSourceFile(file: string, clean: string): string | undefined {
  try {
    overwrite(file);
    writeFileWhole(file, clean, { mode: 0o600 });
    return undefined;
  } catch (thrown) {
    return `its secrets may still be in ${file}: ${errorText(thrown)}`;
  }
}

/** Takes a file away with its folder, which holds nothing else; what is only removed is still on the medium. */
export function eraseSourceFile(file: string): string | undefined {
  const folder = dirname(file);
  try {
    if (!existsSync(folder)) return undefined;
    if (lookAt(file)?.isFile() === true) overwrite(file);
    rmSync(folder, { recursive: true });
    syncDirectory(dirname(folder));
    return undefined;
  } catch (thrown) {
    return `its secrets may still be in ${file}: ${errorText(thrown)}`;
  }
}

function overwrite(file: string): void {
  const fd = openSync(file, constants.O_WRONLY | constants.O_NOFOLLOW);
  try {
    writeSync(fd, Buffer.alloc(fstatSync(fd).size));
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function lookAt(file: string) {
  try {
    return lstatSync(file);
  } catch (thrown) {
    if (errnoOf(thrown) === "ENOENT" || errnoOf(thrown) === "ENOTDIR") return undefined;
    throw thrown;
  }
}
