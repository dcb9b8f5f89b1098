import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** A file system of its own at a folder, until it is disposed. */
export interface SmallDisk extends Disposable {
  readonly dir: string;
  /** Takes all the room that is left; gives the file that took it. */
  readonly fill: () => string;
}

/** So many megabytes at `dir`, which is made; undefined where this user may not mount. */
export function mountSmallDisk(dir: string, megabytes: number): SmallDisk | undefined {
  mkdirSync(dir, { recursive: true });
  const options = `size=${megabytes}m,mode=0700`;
  if (spawnSync("mount", ["-t", "tmpfs", "-o", options, "tmpfs", dir]).status !== 0)
    return undefined;
  return {
    dir,
    fill: () => fill(join(dir, "fill")),
    [Symbol.dispose]: () => void spawnSync("umount", ["-l", dir]),
  };
}

function fill(file: string): string {
  for (let size = 1_048_576; size >= 4_096; size /= 4) {
    try {
      for (;;) writeFileSync(file, Buffer.alloc(size), { flag: "a" });
    } catch {
      // Full at this grain; the next is finer.
    }
  }
  return file;
}
