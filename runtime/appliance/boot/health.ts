import { existsSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { SelftestReport } from "../../protocol/control-results.js";
import type { MachineStory } from "../../protocol/event-machine.js";
import { otherSlot, type Slot } from "../../protocol/slots.js";
import type { Machine } from "../machine.js";
import { tellDaemon } from "../tell-daemon.js";
import { writeFileWhole } from "../write-file.js";
import { withBootPartition } from "./boot-environment.js";
import { keepSlot } from "./keep-slot.js";
import type { KernelArguments } from "./running-slot.js";
import type { Fallback, SlotRecords } from "./slot-records.js";

export interface Health {
  readonly machine: Machine;
  readonly records: SlotRecords;
  readonly started: KernelArguments & { readonly slot: Slot };
  readonly version: string;
  readonly say: (text: string) => void;
  readonly now: () => Date;
  readonly signal: AbortSignal;
}

/** Said by the initramfs where the data volume could not be used. */
const DEGRADED = "/run/aaos/degraded";
const REPORT = "/run/aaos/selftest.json";
const POLL_MS = 3000;
const FAILURES = 2;
/** systemd has started it that often: it crashes, it is not slow. */
const MAX_RESTARTS = 4;

/**
 * Proves that the running slot works: its services are up, agentd answers, and has carried a goal out in confinement. Until the
 * deadline what is not yet so may become so; what fails twice ends it at once. Then: proven, it is kept, and if the boot chooser
 * had left another slot for it, that one's story is told. Not proven, it is left by a reboot, if it has never been proven and
 * some slot has a try left; else it stays up, for whoever comes to look.
 */
export async function proveSlot(health: Health): Promise<"kept" | "left" | "stays"> {
  const { records, started, version, say, now } = health;
  const { slot } = started;
  const problem = await findProblem(health);
  const time = now().toISOString();
  if (problem === undefined) {
    const fallback = await withBootPartition(health.machine, (folder) =>
      keepSlot(folder, records, { slot, version, time }),
    );
    say(`slot ${slot}, version ${version}, works and is kept`);
    if (fallback !== undefined) say(tellFallback(fallback));
    await tellTrail(health, fallback);
    return "kept";
  }
  say(`slot ${slot}, version ${version}: ${problem}`);
  if (!existsSync(DEGRADED))
    records.writeVerdict(slot, { ok: false, version, reason: problem, time });
  if (!started.pending) return "stays";
  if (started.exhausted) {
    say("no slot has a try left: this one stays up, for whoever comes to look");
    return "stays";
  }
  say(
    `slot ${slot} has never worked: starting again, ${otherSlot(slot)} is next when its tries are used up`,
  );
  return "left";
}

/** A slot that is kept for the first time, and one that was left, are events of the trail too. */
async function tellTrail(
  { machine, started, version, say, signal }: Health,
  fallback: Fallback | undefined,
): Promise<void> {
  const { slot } = started;
  const stories: MachineStory[] = [];
  if (fallback !== undefined) {
    const { from, to, version: left, reason } = fallback;
    stories.push({ kind: "slot_fallback", from, to, version: left, reason });
  }
  if (started.pending) stories.push({ kind: "slot_confirmed", slot, version });
  for (const story of stories)
    if (!(await tellDaemon(machine, story, signal))) say(`agentd took no note of ${story.kind}`);
}

/** In one sentence, for people. */
function tellFallback({ from, to, version, reason, time }: Fallback): string {
  return `slot ${from} (version ${version}) was left for ${to} at ${time}: ${reason}`;
}

/** Undefined once the slot has proved itself. */
async function findProblem({ machine, started, signal }: Health): Promise<string | undefined> {
  if (existsSync(DEGRADED)) return readFileSync(DEGRADED, "utf8").trim();
  const until = performance.now() + started.healthDeadlineMs;
  // Not AbortSignal.timeout: Node 20 forgets one that only AbortSignal.any holds, and what hangs would hang for ever.
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), started.healthDeadlineMs);
  let problem = "nothing was looked at";
  let failures = 0;
  try {
    while (performance.now() < until) {
      const looked = await look(machine, AbortSignal.any([signal, late.signal]));
      if (looked === "well") return undefined;
      problem = looked.problem;
      // Once may be a machine that is busy with its own start.
      failures += looked.final ? 1 : 0;
      if (failures === FAILURES) return problem;
      await sleep(POLL_MS, undefined, { signal });
    }
  } finally {
    clearTimeout(timer);
  }
  return `not well within ${started.healthDeadlineMs / 1000} s: ${problem}`;
}

type Looked = "well" | { readonly problem: string; readonly final: boolean };

async function look(machine: Machine, signal: AbortSignal): Promise<Looked> {
  for (const unit of ["agentd.service", "ssh.service"]) {
    // By name: systemctl prints properties in an order of its own.
    const wanted = ["show", "--property=ActiveState,NRestarts", unit];
    const { stdout } = await machine.run("systemctl", wanted);
    const state = /^ActiveState=(.*)$/m.exec(stdout)?.[1] ?? "unknown";
    const restarts = Number(/^NRestarts=(\d+)$/m.exec(stdout)?.[1] ?? 0);
    if (state === "failed" || restarts > MAX_RESTARTS) {
      const what = state === "failed" ? "has failed" : `has ended ${restarts} times`;
      return { problem: `${unit} ${what}${await lastWords(machine, unit)}`, final: true };
    }
    if (state !== "active") return { problem: `${unit} is ${state}`, final: false };
  }
  return selftest(machine, signal);
}

/** The last lines that a unit wrote in this start, cut short. */
async function lastWords(machine: Machine, unit: string): Promise<string> {
  if (!machine.has("journalctl")) return "";
  const wanted = ["-b", "-t", "agentd", "-t", "node", "-u", unit, "-n", "3", "-o", "cat"];
  const { stdout } = await machine.run("journalctl", [...wanted, "--no-pager"]);
  return stdout.trim() === "" ? "" : `: ${stdout.trim().replaceAll("\n", " | ").slice(-300)}`;
}

/** Has agentd carry a goal out; the report is what the console and `system status` show. Another selftest may be under way: then it is asked again. */
async function selftest(machine: Machine, signal: AbortSignal): Promise<Looked> {
  let said: string;
  try {
    const { status, stdout, stderr } = await machine.run("agentd", ["selftest", "--json"], {
      signal,
    });
    const report = SelftestReport.safeParse(jsonOf(stdout));
    if (report.success) writeFileWhole(machine.at(REPORT), stdout, { mode: 0o644 });
    if (status === 0) return "well";
    if (report.success) {
      const failed = report.data.checks.filter(({ verdict }) => verdict !== "ok");
      said = failed.map(({ name, detail }) => `${name}: ${detail}`).join(" | ");
    } else {
      const error = ErrorAnswer.safeParse(jsonOf(stderr));
      // 3 is a daemon that does not answer yet.
      if (status === 3 || (error.success && error.data.error.kind === "unavailable"))
        return { problem: "agentd does not carry out a selftest yet", final: false };
      said = error.success ? error.data.error.message : `${stdout}\n${stderr}`.trim();
    }
  } catch {
    return { problem: "agentd selftest did not end", final: false };
  }
  return { problem: `agentd selftest: ${said.replaceAll("\n", " | ").slice(0, 600)}`, final: true };
}

const ErrorAnswer = z.object({ error: z.object({ kind: z.string(), message: z.string() }) });

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
