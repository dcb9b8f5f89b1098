import { type ChildProcess, spawn } from "node:child_process";
import { constants } from "node:fs";
import { access, stat } from "node:fs/promises";
import { isAbsolute, join } from "node:path";
import type { Granted } from "../protocol/access.js";
import { AgentdError } from "../protocol/agentd-error.js";
import type { PortResult, ProgramCall, ProgramOutcome, ProgramsPort } from "../protocol/ports.js";
import { HeadTail } from "./head-tail.js";
import { asPortResult, failureOfErrno, portFailure } from "./port-failure.js";

/** How long a process that left the group may hold the output open after the program itself has ended. */
const DRAIN_MS = 200;

interface ProgramHome {
  readonly home: string;
  readonly tmp: string;
  /** Directories to look programs up in, separated by `:`. */
  readonly path: string;
}

/**
 * The port `programs` inside the daemon: argv without a shell, an environment of four variables and what the call adds, no
 * descriptor but the three standard ones. The program leads a process group of its own, killed whole at a timeout, an
 * abort, and when the program ends, so that nothing is left behind.
 */
export function daemonPrograms(place: ProgramHome): ProgramsPort {
  return {
    run: (granted, call, signal) =>
      asPortResult(call.program, signal, async () => {
        checkProof(granted, call.program);
        const file = await findProgram(call.program, place.path);
        if (file === undefined) {
          return portFailure("not_found", `the program ${call.program} is not installed`);
        }
        const directory = await stat(call.cwd).catch((thrown: unknown) => thrown);
        if (directory instanceof Error) return failureOfErrno(directory, call.cwd);
        return run(file, call, environment(place, call), signal);
      }),
  };
}

type ProgramProof = Parameters<ProgramsPort["run"]>[0];

const PROGRAM_OF = { cargo_run: "cargo", git_commit: "git", file_read: "rg" } as const;

/** A proof for one program must not start another: that would be a defect of the tool, not of its input. */
function checkProof(granted: ProgramProof | Granted<"exec">, program: string): void {
  const proven = granted.kind === "exec" ? granted.program : PROGRAM_OF[granted.kind];
  if (proven !== program) {
    throw new AgentdError("internal", "run program", `granted ${proven}, asked for ${program}`);
  }
}

function environment(place: ProgramHome, call: ProgramCall): NodeJS.ProcessEnv {
  const own = { PATH: place.path, HOME: place.home, TMPDIR: place.tmp, LANG: "C.UTF-8" };
  return { ...own, ...call.env };
}

async function findProgram(program: string, path: string): Promise<string | undefined> {
  const candidates = isAbsolute(program)
    ? [program]
    : program.includes("/")
      ? []
      : path
          .split(":")
          .filter(isAbsolute)
          .map((directory) => join(directory, program));
  for (const candidate of candidates) {
    if (await isExecutable(candidate)) return candidate;
  }
  return undefined;
}

async function isExecutable(file: string): Promise<boolean> {
  try {
    await access(file, constants.X_OK);
    return (await stat(file)).isFile();
  } catch {
    return false;
  }
}

async function run(
  file: string,
  call: ProgramCall,
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<PortResult<ProgramOutcome>> {
  const started = performance.now();
  const stdout = new HeadTail(call.max_output_bytes);
  const stderr = new HeadTail(call.max_output_bytes);
  const child = spawn(file, [...call.args], {
    cwd: call.cwd,
    env,
    detached: true,
    stdio: ["pipe", "pipe", "pipe"],
  });
  child.stdout.on("data", (chunk: Buffer) => stdout.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => stderr.push(chunk));
  // A program that does not read its input closes it early; that is its own affair.
  child.stdin.on("error", () => undefined);
  child.stdin.end(call.stdin ?? "");
  const ended = await ending(child, call.timeout_ms, signal);
  if (ended.why === "error") return failureOfErrno(ended.error, file);
  if (ended.why === "abort") return portFailure("failed", "stopped while the program was running");
  const value = {
    exit_code: child.exitCode,
    signal: child.signalCode,
    stdout: stdout.text(),
    stderr: stderr.text(),
    truncated: stdout.truncated || stderr.truncated,
    timed_out: ended.why === "timeout",
    duration_ms: Math.round(performance.now() - started),
    denials: [],
  };
  return { ok: true, value };
}

type Ending = { readonly why: "exit" | "timeout" | "abort" } | { why: "error"; error: unknown };

/** Resolves once the program is gone and its output is complete: the first reason to end wins. */
function ending(child: ChildProcess, timeoutMs: number, signal: AbortSignal): Promise<Ending> {
  return new Promise((resolve) => {
    let reason: Ending = { why: "exit" };
    let drain: NodeJS.Timeout | undefined;
    const end = (why: "timeout" | "abort") => (): void => {
      if (reason.why === "exit") reason = { why };
      killGroup(child);
    };
    const onTimeout = end("timeout");
    const onAbort = end("abort");
    const timer = setTimeout(onTimeout, timeoutMs);
    signal.addEventListener("abort", onAbort, { once: true });
    const finish = (result: Ending): void => {
      clearTimeout(timer);
      clearTimeout(drain);
      signal.removeEventListener("abort", onAbort);
      resolve(result);
    };
    child.once("error", (error) => finish({ why: "error", error }));
    child.once("exit", () => {
      killGroup(child);
      drain = setTimeout(() => closeOutput(child), DRAIN_MS);
    });
    child.once("close", () => finish(reason));
    if (signal.aborted) onAbort();
  });
}

function closeOutput(child: ChildProcess): void {
  child.stdout?.destroy();
  child.stderr?.destroy();
}

/** kill(2) of the whole group; a group that is gone already is what was wanted. */
function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch {
    child.kill("SIGKILL");
  }
}
