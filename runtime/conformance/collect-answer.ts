import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, openSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { Attempt } from "./attempt.js";
import type { World } from "./world.js";

/** Where programs of the host are looked up, whatever the environment says. */
export const HOST_PATH = "/usr/local/bin:/usr/bin:/bin";

/** How long an attempt may take; one whose answer is `timeout` is not waited for so long. */
export function limitMs(attempt: Attempt): number {
  return attempt.expect === "timeout" ? 600 : 10_000;
}

/** The answer that a program gave: what it printed, or how it ended. */
export function answerOf(output: string, code: number | null, signal: string | null): string {
  const line = output.trim().split("\n")[0] ?? "";
  if (line !== "" && line.length < 40) return line;
  return signal ?? `exit ${code}`;
}

/** The answer, or, for an attempt with a marker, whether the marker is there after its time. */
export async function afterwards(attempt: Attempt, world: World, answer: string): Promise<string> {
  if (attempt.marker === undefined || answer !== "ok") return answer;
  await sleep(attempt.marker.after_ms);
  return existsSync(world.fill(attempt.marker.path)) ? "ok" : "ENOENT";
}

/**
 * Runs a command of the host and gives the probe's answer. A descriptor of the secret is open in it at 3, and a secret stands in its
 * environment, as they might in a daemon that does not take care.
 */
export async function runOnHost(
  command: readonly string[],
  attempt: Attempt,
  world: World,
): Promise<string> {
  const [program = "", ...args] = command;
  const secret = openSync(world.fill("{secret}/s.txt"), "a+");
  const child: ChildProcess = spawn(program, args, {
    cwd: "/",
    env: {
      PATH: HOST_PATH,
      HOME: "/nonexistent",
      ...attempt.env,
      AAOS_CONFORMANCE_SECRET: "secret",
    },
    stdio: ["ignore", "pipe", "pipe", secret],
  });
  closeSync(secret);
  let output = "";
  let errors = "";
  child.stdout?.on("data", (chunk: Buffer) => {
    if (output.length < 4_096) output += chunk.toString("latin1");
  });
  child.stderr?.on("data", (chunk: Buffer) => {
    if (errors.length < 4_096) errors += chunk.toString("latin1");
  });
  const closed = once(child, "exit") as Promise<[number | null, string | null]>;
  const timer = new AbortController();
  const late = sleep(limitMs(attempt), null, { signal: timer.signal }).catch(() => null);
  const ended = await Promise.race([closed, late]);
  timer.abort();
  if (ended === null) {
    child.kill("SIGKILL");
    child.stdout?.destroy();
    child.stderr?.destroy();
    return "timeout";
  }
  await sleep(0);
  const [code, signal] = ended;
  const answer = answerOf(output, code, signal);
  return afterwards(attempt, world, answer);
}
