import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Places } from "../../protocol/places.js";

const PREFIX = ".aaos-scratch-";
/** Those of this process may be in use. */
const own = new Set<string>();

/**
 * A new folder of root's beside the state's: in that one, the daemon's user could put links in the place of what root writes. Those
 * that a power cut left go.
 */
export function makeScratch({ stateDir }: Places): string {
  const folder = dirname(stateDir);
  for (const name of readdirSync(folder))
    if (name.startsWith(PREFIX) && !own.has(join(folder, name)))
      rmSync(join(folder, name), { recursive: true, force: true });
  const made = mkdtempSync(join(folder, PREFIX));
  own.add(made);
  return made;
}
