import { Readable } from "node:stream";
import type { CliIo, Output } from "../cli/io.js";
import { runCli } from "../cli/program.js";
import type { ExitCode } from "../protocol/error-code.js";

export interface CliRun {
  readonly exit: Promise<ExitCode>;
  readonly stdout: () => string;
  readonly stderr: () => string;
  readonly interrupt: () => void;
  readonly resize: (columns: number) => void;
}

interface CliOptions {
  readonly stdin?: string | Uint8Array;
  readonly cwd?: string;
  readonly root?: string;
  readonly share?: string;
  readonly nativeDir?: string;
  readonly noColor?: boolean;
  /** Makes standard output a terminal of that size. */
  readonly terminal?: { readonly columns: number; readonly rows: number };
}

/** One `agentd` with its standard streams in memory. */
export function startCli(argv: readonly string[], options: CliOptions = {}): CliRun {
  const interrupts = new Set<() => void>();
  const resizes = new Set<() => void>();
  const size = { ...options.terminal };
  let stdout = "";
  let stderr = "";
  const output = (write: (text: string) => void): Output => ({
    write: (text) => {
      write(text);
      return true;
    },
    isTTY: options.terminal !== undefined,
    get columns() {
      return size.columns ?? 80;
    },
    get rows() {
      return size.rows ?? 24;
    },
    on: (event, listener) => event === "resize" && resizes.add(listener),
    off: (_event, listener) => resizes.delete(listener),
  });
  const io: CliIo = {
    stdin: Readable.from(options.stdin === undefined ? [] : [Buffer.from(options.stdin)]),
    stdout: output((text) => {
      stdout += text;
    }),
    stderr: output((text) => {
      stderr += text;
    }),
    cwd: options.cwd ?? "/",
    uid: process.getuid?.() ?? 0,
    root: options.root,
    share: options.share ?? "/nowhere/share",
    nativeDir: options.nativeDir ?? "/nowhere/native",
    noColor: options.noColor ?? false,
    signals: {
      on: (_signal, listener) => interrupts.add(listener),
      off: (_signal, listener) => interrupts.delete(listener),
    },
    runDaemon: () => Promise.resolve(0),
    env: () => undefined,
    probeHost: () => Promise.resolve([]),
    outbound: () => Promise.resolve(fetch),
    checkProvider: () => Promise.resolve({ ok: true, model: "" }),
  };
  return {
    exit: runCli(argv, io),
    stdout: () => stdout,
    stderr: () => stderr,
    interrupt: () => {
      for (const listener of interrupts) listener();
    },
    resize: (columns) => {
      size.columns = columns;
      for (const listener of resizes) listener();
    },
  };
}

/** The same, when it has ended. */
export async function cli(
  argv: readonly string[],
  options: CliOptions = {},
): Promise<{ readonly code: ExitCode; readonly stdout: string; readonly stderr: string }> {
  const run = startCli(argv, options);
  const code = await run.exit;
  return { code, stdout: run.stdout(), stderr: run.stderr() };
}
