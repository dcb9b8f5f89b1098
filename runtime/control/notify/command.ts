import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { errorText } from "../../base/error-text.js";
import type { Receiver } from "./receiver.js";

const RUN_MS = 10_000;

/**
 * Runs the operator's program for each notice, the JSON on its standard input: as the daemon's user, without a shell, with nothing but
 * PATH in its environment, and in a process group of its own that ends with it, or when time is up. What it says on standard error
 * is in the daemon's.
 */
export function command(
  argv: readonly string[],
  path: string,
  timeoutMs: number = RUN_MS,
): Receiver {
  const [program = "", ...args] = argv;
  return {
    name: `command ${program}`,
    deliver: async (json, signal) => {
      const timeout = AbortSignal.timeout(timeoutMs);
      const stop = AbortSignal.any([signal, timeout]);
      stop.throwIfAborted();
      const child = spawn(program, args, {
        cwd: "/",
        env: { PATH: path },
        stdio: ["pipe", "ignore", "inherit"],
        detached: true,
      });
      const kill = (): void => killGroup(child);
      stop.addEventListener("abort", kill, { once: true });
      try {
        await runToEnd(child, json, () =>
          timeout.aborted ? `killed after ${timeoutMs / 1_000} s` : undefined,
        );
      } finally {
        stop.removeEventListener("abort", kill);
        // What it left behind in its group ends with it.
        kill();
      }
    },
  };
}

async function runToEnd(
  child: ChildProcess,
  json: string,
  killed: () => string | undefined,
): Promise<void> {
  // A program that does not read is none of our trouble.
  child.stdin?.on("error", () => undefined);
  child.stdin?.end(`${json}\n`);
  const [code, signal] = (await once(child, "exit").catch((thrown: unknown) => {
    throw new Error(`it does not start: ${errorText(thrown)}`);
  })) as [number | null, NodeJS.Signals | null];
  if (code === 0) return;
  throw new Error(killed() ?? (code === null ? `ended by ${signal}` : `exit ${code}`));
}

function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // Nothing of it is left.
  }
}
