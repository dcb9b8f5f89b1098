import { chmod, copyFile, mkdtemp, readdir, rm } from "node:fs/promises";
import { join } from "node:path";

/** A folder of programs that is removed with the value. */
export interface StagedPrograms extends AsyncDisposable {
  readonly dir: string;
}

/**
 * Copies of the compiled programs, which nobody may write, in a folder that nobody may write in, not even who owns it: the answers then depend neither on
 * where the checkout lies (below /tmp an agent has a file system of its own) nor on whose it is, and no attempt can harm the checkout.
 */
export async function stagePrograms(nativeDir: string): Promise<StagedPrograms> {
  const dir = await mkdtemp("/var/tmp/aaos-conformance-programs-");
  for (const entry of await readdir(nativeDir, { withFileTypes: true })) {
    if (!entry.isFile()) continue;
    await copyFile(join(nativeDir, entry.name), join(dir, entry.name));
    await chmod(join(dir, entry.name), 0o555);
  }
  await chmod(dir, 0o555);
  return {
    dir,
    [Symbol.asyncDispose]: async () => {
      await chmod(dir, 0o755);
      await rm(dir, { recursive: true });
    },
  };
}
