import type { Ports } from "../protocol/ports.js";
import { daemonFiles } from "./daemon-files.js";
import { daemonPrograms } from "./daemon-programs.js";
import { daemonWeb } from "./daemon-web.js";
import type { WebOptions } from "./web-dial.js";

export interface PortsOptions extends WebOptions {
  /** HOME and TMPDIR of programs. */
  readonly home: string;
  readonly tmp: string;
  /** Directories to look programs up in, separated by `:`. */
  readonly path: string;
}

/** The three ports, carried out in the daemon itself: nothing confines them but the checks above. */
export function openPorts(options: PortsOptions): Ports {
  return {
    files: daemonFiles(),
    programs: daemonPrograms(options),
    web: daemonWeb(options),
  };
}
