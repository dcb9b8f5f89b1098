/** What the CLI may touch of its process. `process.stdout` and its kin fit as they are. */
export interface Output {
  readonly write: (text: string) => boolean;
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
  readonly on: (event: "resize" | "error", listener: (error?: Error) => void) => unknown;
  readonly off: (event: "resize" | "error", listener: (error?: Error) => void) => unknown;
}

export interface CliIo {
  readonly stdin: AsyncIterable<Uint8Array>;
  readonly stdout: Output;
  readonly stderr: Output;
  readonly cwd: string;
  /** From the environment, read once in the main: AAOS_ROOT, AAOS_SHARE, NO_COLOR. */
  readonly env: {
    readonly root: string | undefined;
    readonly share: string | undefined;
    readonly noColor: boolean;
  };
  /** Folder of the running program's file: a checkout finds its own catalog from it. */
  readonly programDir: string;
  readonly version: string;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Calls the listener for each Ctrl-C instead of ending the process; returns the end of that. */
  readonly onInterrupt: (listener: () => void) => () => void;
}
