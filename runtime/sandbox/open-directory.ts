import { constants } from "node:fs";
import { type FileHandle, mkdir, open, readlink } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { errnoOf } from "../base/error-text.js";

/** The name of an open descriptor's file in this process: a path through it is looked up beneath the descriptor, like openat(2). */
function descriptorPath(handle: FileHandle): string {
  return `/proc/self/fd/${handle.fd}`;
}

/**
 * Throws ELOOP where the open file is not the one named: a component of the path became a symbolic link after the check
 * (proc(5): the link of a descriptor is the file's path now).
 */
async function verifyOpened(handle: FileHandle, path: string): Promise<void> {
  const actual = await readlink(descriptorPath(handle));
  if (actual === path) return;
  throw Object.assign(new Error(`${path} leads to ${actual}`), { code: "ELOOP" });
}

/** Opens `path`, whose components are no symbolic links, or throws. The caller closes the handle. */
async function openVerified(path: string, flags: number): Promise<FileHandle> {
  // A link where a directory was is found by the name of what was opened: O_NOFOLLOW would only say ENOTDIR.
  const last = (flags & constants.O_DIRECTORY) === 0 ? constants.O_NOFOLLOW : 0;
  const handle = await open(path, flags | last | constants.O_NONBLOCK);
  try {
    await verifyOpened(handle, path);
    return handle;
  } catch (thrown) {
    await handle.close();
    throw thrown;
  }
}

/**
 * Opens a directory, making it and its missing ancestors (0775 less the umask; a setgid parent passes its group on), each
 * beneath its verified parent, so that no link swapped in on the way is followed. The caller closes the handle.
 */
export async function openDirectoryMaking(path: string): Promise<FileHandle> {
  try {
    return await openVerified(path, constants.O_RDONLY | constants.O_DIRECTORY);
  } catch (thrown) {
    if (errnoOf(thrown) !== "ENOENT" || path === "/") throw thrown;
  }
  const parent = await openDirectoryMaking(dirname(path));
  try {
    const beneath = `${descriptorPath(parent)}/${basename(path)}`;
    await mkdir(beneath, 0o775).catch((thrown: unknown) => {
      if (errnoOf(thrown) !== "EEXIST") throw thrown;
    });
    await parent.sync();
    return await open(beneath, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  } finally {
    await parent.close();
  }
}
