import { type Ceiling, ceilingAllows } from "../policy/ceiling.js";
import type { Denial } from "../protocol/access.js";
import { resolvePath } from "../sandbox/resolve-path.js";

/**
 * Why no agent under this ceiling can have made a file at `path`, as it is written and where its links lead; undefined where one
 * may. The daemon vouches for a run's documents and gives out their text, so that it asks this of every path that a model or an
 * operator named: the database changes all the time, and is nobody's output.
 */
export async function documentDenial(path: string, ceiling: Ceiling): Promise<Denial | undefined> {
  const asWritten = ceilingAllows(ceiling, { kind: "file_write", path });
  if (asWritten !== undefined) return asWritten;
  return ceilingAllows(ceiling, { kind: "file_write", path: await resolvePath(path) });
}
