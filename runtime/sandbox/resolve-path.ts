import { realpath } from "node:fs/promises";
import { basename, dirname, join, normalize } from "node:path";

/**
 * The path that an access really means: `.` and `..` resolved in the text, then symbolic links of the nearest ancestor that
 * exists, then the rest as it stands. To be asked before a check; the files port verifies at the open that it still holds.
 * Never throws: where the file system tells nothing, the text alone decides, and the open is refused later.
 */
export async function resolvePath(path: string): Promise<string> {
  const clean = plainPath(path);
  let ancestor = clean;
  let tail = "";
  for (;;) {
    const real = await realpath(ancestor).catch(() => undefined);
    if (real !== undefined) return tail === "" ? real : join(real, tail);
    const parent = dirname(ancestor);
    if (parent === ancestor) return clean;
    tail = join(basename(ancestor), tail);
    ancestor = parent;
  }
}

/** An absolute path as people and models write it, without `.`, `..`, `//` and a slash at its end. Pure: looks at nothing. */
export function plainPath(path: string): string {
  const clean = normalize(path);
  return clean.length > 1 && clean.endsWith("/") ? clean.slice(0, -1) : clean;
}
