import { constants, type Stats } from "node:fs";
import { type FileHandle, lstat, open, readdir, rename, unlink } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { errnoOf } from "../base/error-text.js";
import type { DirectoryEntry, FilesPort, PortResult } from "../protocol/ports.js";
import { descriptorPath, openDirectoryMaking, openVerified } from "./open-directory.js";
import { asPortResult, portFailure } from "./port-failure.js";

/**
 * The port `files` inside the daemon: nothing confines it but the check above it and the open below, which refuses a path
 * that became a symbolic link in between. Replacing is atomic and durable: temporary file beside the target, fsync,
 * rename, fsync of the directory.
 */
export function daemonFiles(): FilesPort {
  let temporaries = 0;
  const nextSuffix = (): string => `.aaos-${process.pid}-${++temporaries}.tmp`;
  return {
    read: (file, range, signal) =>
      asPortResult(file.path, signal, () => readRange(file.path, range)),
    list: (path, maxEntries, signal) =>
      asPortResult(path.path, signal, () => list(path.path, maxEntries)),
    write: (file, content, signal) =>
      asPortResult(file.path, signal, () =>
        content.append
          ? append(file.path, content.bytes)
          : replace(file.path, content.bytes, nextSuffix),
      ),
  };
}

async function readRange(
  path: string,
  range: { readonly offset_bytes: number; readonly max_bytes: number },
): Promise<PortResult<{ bytes: Uint8Array; size_bytes: number }>> {
  const file = await openVerified(path, constants.O_RDONLY);
  try {
    const stats = await file.stat();
    const refusal = notAFile(path, stats);
    if (refusal !== undefined) return refusal;
    const wanted = Math.max(0, Math.min(range.max_bytes, stats.size - range.offset_bytes));
    const bytes = Buffer.alloc(wanted);
    let filled = 0;
    while (filled < wanted) {
      const { bytesRead } = await file.read(
        bytes,
        filled,
        wanted - filled,
        range.offset_bytes + filled,
      );
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return { ok: true, value: { bytes: bytes.subarray(0, filled), size_bytes: stats.size } };
  } finally {
    await file.close();
  }
}

function notAFile(path: string, stats: Stats): PortResult<never> | undefined {
  if (stats.isFile()) return undefined;
  const what = stats.isDirectory() ? "a directory" : "no regular file";
  return portFailure("failed", `${path} is ${what}`);
}

async function list(path: string, maxEntries: number): ReturnType<FilesPort["list"]> {
  const handle = await openVerified(path, constants.O_RDONLY);
  try {
    const stats = await handle.stat();
    if (!stats.isDirectory()) {
      const entry = { name: basename(path), kind: kindOf(stats), size_bytes: stats.size };
      return { ok: true, value: { kind: "file", entries: [entry], truncated: false } };
    }
    const names = (await readdir(descriptorPath(handle))).sort();
    const entries: DirectoryEntry[] = [];
    for (const name of names.slice(0, maxEntries)) {
      const entry = await lstat(`${descriptorPath(handle)}/${name}`).catch(() => undefined);
      if (entry) entries.push({ name, kind: kindOf(entry), size_bytes: entry.size });
    }
    return { ok: true, value: { kind: "dir", entries, truncated: names.length > maxEntries } };
  } finally {
    await handle.close();
  }
}

function kindOf(stats: Stats): DirectoryEntry["kind"] {
  if (stats.isFile()) return "file";
  if (stats.isDirectory()) return "dir";
  return stats.isSymbolicLink() ? "symlink" : "other";
}

async function append(path: string, bytes: Uint8Array): ReturnType<FilesPort["write"]> {
  const directory = await openDirectoryMaking(dirname(path));
  try {
    const flags = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT;
    const file = await open(
      `${descriptorPath(directory)}/${basename(path)}`,
      flags | constants.O_NOFOLLOW | constants.O_NONBLOCK,
      0o664,
    );
    try {
      const refusal = notAFile(path, await file.stat());
      if (refusal !== undefined) return refusal;
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await directory.sync();
    return { ok: true, value: { bytes_written: bytes.length } };
  } finally {
    await directory.close();
  }
}

async function replace(
  path: string,
  bytes: Uint8Array,
  nextSuffix: () => string,
): ReturnType<FilesPort["write"]> {
  const directory = await openDirectoryMaking(dirname(path));
  try {
    const target = `${descriptorPath(directory)}/${basename(path)}`;
    const existing = await lstat(target).catch(ignoreAbsent);
    const refusal = existing === undefined ? undefined : notAFile(path, existing);
    if (refusal !== undefined) return refusal;
    if (existing) await refuseUnwritable(target);
    const { file, temporary } = await createTemporary(directory, nextSuffix);
    try {
      await fill(file, bytes, existing);
      await rename(temporary, target);
    } catch (thrown) {
      await unlink(temporary).catch(ignoreAbsent);
      throw thrown;
    }
    await directory.sync();
    return { ok: true, value: { bytes_written: bytes.length } };
  } finally {
    await directory.close();
  }
}

/** A rename would also replace a file that may not be written; that is refused like an ordinary write. */
async function refuseUnwritable(target: string): Promise<void> {
  const flags = constants.O_WRONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  await (await open(target, flags)).close();
}

/** A file of this process alone; a name left by a dead process is passed over. */
async function createTemporary(
  directory: FileHandle,
  nextSuffix: () => string,
): Promise<{ file: FileHandle; temporary: string }> {
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
  for (;;) {
    const temporary = `${descriptorPath(directory)}/${nextSuffix()}`;
    try {
      return { file: await open(temporary, flags, 0o664), temporary };
    } catch (thrown) {
      if (errnoOf(thrown) !== "EEXIST") throw thrown;
    }
  }
}

/** A file that is replaced keeps its permission bits. */
async function fill(
  file: FileHandle,
  bytes: Uint8Array,
  existing: Stats | undefined,
): Promise<void> {
  try {
    await file.writeFile(bytes);
    if (existing) await file.chmod(existing.mode & 0o777);
    await file.sync();
  } finally {
    await file.close();
  }
}

function ignoreAbsent(thrown: unknown): undefined {
  if (errnoOf(thrown) === "ENOENT") return undefined;
  throw thrown;
}
