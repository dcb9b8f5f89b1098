import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

const AGENTD = fileURLToPath(new URL("../agentd.js", import.meta.url));

interface ProcessOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string;
  readonly cwd?: string;
  /** Runs as this user and group, without supplementary groups; needs root. */
  readonly uid?: number;
}

/** What a program that has ended left behind. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** One `agentd` under way, with what it has printed so far. */
export interface AgentdProcess {
  readonly pid: number;
  readonly stdout: () => string;
  readonly stderr: () => string;
  readonly kill: (signal: NodeJS.Signals) => void;
  readonly ended: Promise<Ended>;
  /** Resolves as soon as standard output or error matches; rejects where the process ends first, with what it printed. */
  readonly until: (pattern: RegExp) => Promise<void>;
}

/** The compiled program as a process of its own; its environment holds PATH and HOME and what `env` names, nothing else. */
export function startAgentd(args: readonly string[], options: ProcessOptions = {}): AgentdProcess {
  const { uid } = options;
  const command = [process.execPath, AGENTD, ...args];
  const asUser =
    uid === undefined
      ? command
      : ["setpriv", `--reuid=${uid}`, `--regid=${uid}`, "--clear-groups", "--", ...command];
  const [program = "", ...rest] = asUser;
  // biome-ignore lint/style/noProcessEnv: a child needs a PATH
  const { PATH = "/usr/bin:/bin", HOME = "/tmp" } = process.env;
  const child = spawn(program, rest, {
    env: { PATH, HOME, ...options.env },
    stdio: "pipe",
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  child.stdin.on("error", () => undefined);
  child.stdin.end(options.stdin ?? "");
  return follow(child);
}

function follow(child: ChildProcess): AgentdProcess {
  let stdout = "";
  let stderr = "";
  child.stdout?.setEncoding("utf8").on("data", (chunk: string) => {
    stdout += chunk;
  });
  child.stderr?.setEncoding("utf8").on("data", (chunk: string) => {
    stderr += chunk;
  });
  const ended = once(child, "close").then(
    ([code, signal]): Ended => ({
      code: code as number | null,
      signal: signal as NodeJS.Signals | null,
      stdout,
      stderr,
    }),
  );
  return {
    pid: child.pid ?? 0,
    stdout: () => stdout,
    stderr: () => stderr,
    kill: (signal) => void child.kill(signal),
    ended,
    until: (pattern) => untilMatch(child, () => pattern.test(stdout + stderr), pattern, ended),
  };
}

async function untilMatch(
  child: ChildProcess,
  matches: () => boolean,
  pattern: RegExp,
  ended: Promise<Ended>,
): Promise<void> {
  if (matches()) return;
  await new Promise<void>((resolve, reject) => {
    const look = (): void => {
      if (!matches()) return;
      child.stdout?.off("data", look);
      child.stderr?.off("data", look);
      resolve();
    };
    child.stdout?.on("data", look);
    child.stderr?.on("data", look);
    ended.then(
      (end) => reject(new Error(`ended before ${pattern}: ${JSON.stringify(end)}`)),
      reject,
    );
  });
}
