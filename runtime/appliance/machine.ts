import { spawn } from "node:child_process";
import { constants, existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { errorText } from "../base/error-text.js";
import { AgentdError } from "../protocol/agentd-error.js";

/** What a program of the machine came to; both outputs cut at 64 KiB. */
export interface ProgramResult {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The machine as the verbs of root see it. */
export interface Machine {
  /** Where an absolute path of the machine lies: itself, or below the root of a test. */
  readonly at: (path: string) => string;
  /** True where a program of that name is installed. */
  readonly has: (program: string) => boolean;
  /** Runs a program of the machine by its name, never a shell, with a clean environment; a status other than 0 is a value. */
  readonly run: (
    program: string,
    args: readonly string[],
    options?: { readonly stdin?: string; readonly signal?: AbortSignal },
  ) => Promise<ProgramResult>;
}

const PATH = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"] as const;
const MAX_OUTPUT = 65_536;

/** The machine below `root`: its files there, its programs from Debian's own folders (or `programDirs`, for tests). */
export function openMachine(root = "/", programDirs: readonly string[] = PATH): Machine {
  const find = (program: string): string | undefined =>
    programDirs.map((dir) => join(dir, program)).find(isProgram);
  return {
    at: (path) => join(root, path),
    has: (program) => find(program) !== undefined,
    run: async (program, args, options = {}) => {
      const file = find(program);
      if (file === undefined)
        throw new AgentdError("unavailable", `run ${program}`, `${program} is not installed here`, {
          hint: `Install the Debian package that has ${program}.`,
        });
      return runProgram(file, args, programDirs, options);
    },
  };
}

/** Runs it and throws `run_failed` with what it said, unless it ends with 0. Gives its output. */
export async function mustRun(
  machine: Machine,
  program: string,
  args: readonly string[],
  options?: { readonly stdin?: string; readonly signal?: AbortSignal },
): Promise<string> {
  const { status, stdout, stderr } = await machine.run(program, args, options);
  if (status === 0) return stdout;
  const said = stderr.trim() === "" ? stdout.trim() : stderr.trim();
  throw new AgentdError(
    "run_failed",
    `run ${program}`,
    `${program} ended with ${status}: ${said}`,
    {
      hint: "`journalctl -u aaos-system` has the whole request.",
    },
  );
}

function isProgram(path: string): boolean {
  return existsSync(path) && (statSync(path).mode & constants.S_IXUSR) !== 0;
}

function runProgram(
  file: string,
  args: readonly string[],
  programDirs: readonly string[],
  { stdin = "", signal }: { readonly stdin?: string; readonly signal?: AbortSignal },
): Promise<ProgramResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, {
      cwd: "/",
      env: { PATH: programDirs.join(":"), LC_ALL: "C.UTF-8" },
      stdio: ["pipe", "pipe", "pipe"],
      ...(signal === undefined ? {} : { signal }),
    });
    const said = { stdout: "", stderr: "" };
    for (const name of ["stdout", "stderr"] as const) {
      child[name].setEncoding("utf8");
      child[name].on("data", (text: string) => {
        if (said[name].length < MAX_OUTPUT) said[name] += text;
      });
    }
    child.stdin.on("error", () => {}); // a program that reads nothing is told by its status
    child.stdin.end(stdin);
    child.once("error", (cause) => {
      reject(new AgentdError("run_failed", `run ${file}`, errorText(cause), { cause }));
    });
    child.once("close", (status, killedBy) => {
      resolve({ status: status ?? 255, ...cut(said, killedBy) });
    });
  });
}

function cut(said: { stdout: string; stderr: string }, killedBy: string | null) {
  const stderr = killedBy === null ? said.stderr : `${said.stderr}killed by ${killedBy}`;
  return { stdout: said.stdout.slice(0, MAX_OUTPUT), stderr: stderr.slice(0, MAX_OUTPUT) };
}
