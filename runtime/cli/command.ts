import type { Places } from "../protocol/places.js";
import type { Heard } from "./client.js";
import type { CliIo } from "./io.js";
import type { Style } from "./style.js";

/** What every verb is given beside its own arguments. */
export interface Command {
  readonly io: CliIo;
  readonly places: Places;
  /** `--json`: results as one JSON document, streams as one JSON object a line. */
  readonly json: boolean;
  readonly style: Style;
  /** Aborts when nobody reads what is printed any more (`agentd logs ID | head`). */
  readonly signal: AbortSignal;
  /** What the daemon has answered so far. */
  readonly heard: Heard[];
}
