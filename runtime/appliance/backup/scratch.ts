import { mkdtempSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Places } from "../../protocol/places.js";

/** A new folder of root's beside the state's: in that one, the daemon's user could put links in the place of what root writes. */
export function makeScratch({ stateDir }: Places): string {
  return mkdtempSync(join(dirname(stateDir), ".aaos-scratch-"));
}
