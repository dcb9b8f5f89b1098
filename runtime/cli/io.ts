import type { Readable } from "node:stream";
import type { ProviderChoice } from "../appliance/configure/provider-changes.js";
import type { DoctorCheck } from "../protocol/control-results.js";
import type { ExitCode } from "../protocol/error-code.js";
import type { Places } from "../protocol/places.js";

type OutputEvent = "resize" | "error" | "drain";

/** A standard stream to write to. `process.stdout` and `process.stderr` fit as they are. */
export interface Output {
  readonly write: (text: string) => boolean;
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
  readonly on: (event: OutputEvent, listener: (error?: Error) => void) => unknown;
  readonly off: (event: OutputEvent, listener: (error?: Error) => void) => unknown;
}

/** Where Ctrl-C comes from. `process` fits as it is: while somebody listens, it does not end the process. */
interface Signals {
  readonly on: (signal: "SIGINT", listener: () => void) => unknown;
  readonly off: (signal: "SIGINT", listener: () => void) => unknown;
}

/** What the CLI may touch of its process, and what the main has read from the environment. */
export interface CliIo {
  readonly stdin: Readable & {
    readonly isTTY?: boolean;
    readonly setRawMode?: (raw: boolean) => unknown;
  };
  readonly stdout: Output;
  readonly stderr: Output;
  readonly signals: Signals;
  readonly cwd: string;
  /** Who runs this process. */
  readonly uid: number;
  /** AAOS_ROOT. */
  readonly root: string | undefined;
  /** Folder of the vendor catalog. */
  readonly share: string;
  /** Folder of what `native/` builds. */
  readonly nativeDir: string;
  /** A variable of the environment that an argument names. */
  readonly env: (name: string) => string | undefined;
  /** NO_COLOR. */
  readonly noColor: boolean;
  /** The daemon itself: `agentd run`. Only the main knows how. */
  readonly runDaemon: (places: Places) => Promise<ExitCode>;
  /** The daemon's part of `agentd doctor`, by this process, where no daemon answers. */
  readonly probeHost: (places: Places, signal: AbortSignal) => Promise<readonly DoctorCheck[]>;
  /** How this machine reaches others: through the operator's proxy, with the operator's authorities. */
  readonly outbound: (places: Places) => Promise<typeof fetch>;
  /** Asks the chosen provider's model for one word, with this key. */
  readonly checkProvider: (
    places: Places,
    choice: Omit<ProviderChoice, "has_key">,
    key: string | undefined,
    signal: AbortSignal,
  ) => Promise<
    { readonly ok: true; readonly model: string } | { readonly ok: false; readonly message: string }
  >;
}
