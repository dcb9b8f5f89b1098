import { constants } from "node:fs";
import { chmod, lstat, open, readdir, rmdir, unlink } from "node:fs/promises";
import { join } from "node:path";

/** Not among Node's constants: open(2), the same on x86-64 and arm64. */
const O_PATH = 0o10000000;

/**
 * Removes the folder `name` of `parent` with all below it. A symbolic link goes as the link that it is, wherever it leads and whenever
 * it was put there: every folder is opened without following one, and what is in it is named by that handle. Folders that their owner
 * locked are opened up first. Throws the system's error.
 */
export async function removeTree(parent: string, name: string): Promise<void> {
  const path = join(parent, name);
  const flags = O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW;
  await using folder = await open(path, flags);
  // proc(5): a name below this is looked up in the very folder that was opened.
  const inside = `/proc/self/fd/${folder.fd}`;
  await chmod(inside, 0o700);
  for (const entry of await readdir(inside)) {
    if ((await lstat(join(inside, entry))).isDirectory()) await removeTree(inside, entry);
    else await unlink(join(inside, entry));
  }
  await rmdir(path);
}
