import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { z } from "zod";
import { AgentdError } from "../protocol/agentd-error.js";
import { Observation, ObservationEnd } from "../protocol/observation.js";
import type { Command } from "./command.js";

export interface ObservedRun {
  readonly observations: readonly Observation[];
  readonly end: ObservationEnd;
}

const Line = z.union([Observation, ObservationEnd]);

/**
 * Runs `argv` under `aaos-observe`, as the caller and unconfined; both its outputs go to standard error, so that standard output
 * holds the proposal alone. Throws `unavailable` where this kernel or installation cannot observe, `usage` where there is no such program.
 */
export async function observeProgram(
  { io, signal }: Command,
  argv: readonly string[],
): Promise<ObservedRun> {
  const binary = join(io.nativeDir, "aaos-observe");
  if (!existsSync(binary)) {
    throw new AgentdError("unavailable", "learn", `${binary} is missing`, {
      hint: "Run `npm run build:native`, or reinstall the package aaos.",
    });
  }
  const child = spawn(binary, argv, { cwd: io.cwd, stdio: ["inherit", "pipe", "pipe", "pipe"] });
  // Ctrl-C is for the program; what was seen until then is still worth a proposal.
  const onInterrupt = () => undefined;
  const onAbort = () => child.kill("SIGTERM");
  io.signals.on("SIGINT", onInterrupt);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    for (const output of [child.stdout, child.stderr]) {
      output?.setEncoding("utf8").on("data", (text: string) => io.stderr.write(text));
    }
    const closed = closing(child);
    const run = await readLines(child);
    await closed;
    if (run.end === undefined) throw unobservable();
    if (run.end.exec_errno !== 0) throw notStarted(argv[0] ?? "", run.end.exec_errno);
    return { observations: run.observations, end: run.end };
  } finally {
    io.signals.off("SIGINT", onInterrupt);
    signal.removeEventListener("abort", onAbort);
  }
}

function closing(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once("close", () => resolve());
    child.once("error", (cause) =>
      reject(new AgentdError("unavailable", "learn", "the observer does not start", { cause })),
    );
  });
}

async function readLines(
  child: ChildProcess,
): Promise<{ readonly observations: Observation[]; readonly end: ObservationEnd | undefined }> {
  const observations: Observation[] = [];
  let end: ObservationEnd | undefined;
  for await (const text of createInterface({ input: child.stdio[3] as Readable })) {
    const line = Line.parse(JSON.parse(text));
    if (line.op === "exit") end = line;
    else observations.push(line);
  }
  return { observations, end };
}

function unobservable(): AgentdError {
  return new AgentdError("unavailable", "learn", "the program could not be observed", {
    hint: "The lines above say why; it needs seccomp user notification (Linux 5.5) and may not run inside another sandbox that forbids it.",
  });
}

function notStarted(program: string, errno: number): AgentdError {
  const why = errno === 2 ? "is not found" : `cannot be executed (errno ${errno})`;
  return new AgentdError("usage", "learn", `${program} ${why}`, {
    hint: "Give a program of PATH or a path, after `--`: agentd learn -- git status",
  });
}
