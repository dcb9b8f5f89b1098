import { constants } from "node:fs";
import { type FileHandle, mkdir, open } from "node:fs/promises";

const O_DIR = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

/**
 * Makes the directory of a write grant that does not exist yet, with its parents. Each step is taken from the descriptor of the one
 * before and follows no link, so that an agent that writes on the way cannot lead it elsewhere. Rejects (ELOOP, ENOTDIR, EACCES)
 * where that is not possible.
 */
export async function makeGrantedDir(path: string): Promise<void> {
  let at = await open("/", O_DIR);
  try {
    for (const name of path.split("/").filter((part) => part !== "")) {
      const next = await enter(at, name);
      await at.close();
      at = next;
    }
  } finally {
    await at.close();
  }
}

async function enter(parent: FileHandle, name: string): Promise<FileHandle> {
  const child = `/proc/self/fd/${parent.fd}/${name}`;
  try {
    return await open(child, O_DIR);
  } catch (thrown) {
    if (!(thrown instanceof Error && "code" in thrown && thrown.code === "ENOENT")) throw thrown;
  }
  await mkdir(child, 0o775).catch((thrown: unknown) => {
    if (!(thrown instanceof Error && "code" in thrown && thrown.code === "EEXIST")) throw thrown;
  });
  return open(child, O_DIR);
}
