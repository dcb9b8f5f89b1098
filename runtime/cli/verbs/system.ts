import { rm, statfs } from "node:fs/promises";
import { homedir } from "node:os";
import { basename, join, resolve } from "node:path";
import { machineStatus } from "../../appliance/status/machine-status.js";
import { download } from "../../appliance/upgrade/download.js";
import { AgentdError } from "../../protocol/agentd-error.js";
import type { ExitCode } from "../../protocol/error-code.js";
import type { SlotStatus, SlotsStatus } from "../../protocol/machine-status.js";
import { agrees } from "../agrees.js";
import { askSystem } from "../ask-system.js";
import type { Command } from "../command.js";
import { printJson, printLine } from "../print.js";
import { printMachine } from "../print-machine.js";
import { type Progress, progressLine } from "../progress-line.js";

export interface UpgradeOptions {
  readonly allowDowngrade?: boolean;
  readonly automatic?: boolean;
  readonly rebootAt?: string;
}

/**
 * The machine, and on one with slots both of them, what starts next, and what became of the last upgrade. Exit code 1 where it is not
 * as it should be. Needs no daemon; of slots the root service tells.
 */
export async function systemStatus(
  command: Command,
  { verify = false }: { readonly verify?: boolean },
): Promise<ExitCode> {
  const machine = machineStatus(command.places);
  const hasSlots = machine.booted_from.startsWith("slot ");
  const status = hasSlots || verify ? await askSystem("slots-status", { verify }) : null;
  if (command.json) printJson(command, { ...status, machine });
  else {
    printMachine(command, machine);
    for (const line of status === null ? [] : describe(status)) printLine(command, line);
  }
  if (status === null) return 0;
  const wrong = status.degraded !== null || status.slots.some(({ intact }) => intact === false);
  return wrong ? 1 : 0;
}

/** A bundle is a system: nothing larger is one. */
const MAX_BUNDLE_BYTES = 2 ** 32;

/** Fetches a bundle into the caller's own folder, going on with what an earlier call left. */
async function fetched(command: Command, url: string, progress: Progress): Promise<string> {
  const name = basename(new URL(url).pathname) || "bundle";
  const file = join(homedir(), ".cache/aaos/upgrades", name);
  const { bavail, bsize } = await statfs(homedir());
  await download({
    ...{ url, file, maxBytes: Math.min(MAX_BUNDLE_BYTES, bavail * bsize), signal: command.signal },
    ...{ stallMs: 30_000, attempts: 5 },
    onBytes: (done, total) => progress.show("downloading", total === undefined ? 0 : done / total),
  });
  return file;
}

/** Puts the bundle FILE, which may be a URL, into the other slot; the machine starts it when it is started again, now or at `--reboot-at`. */
export async function systemUpgrade(
  command: Command,
  file: string,
  options: UpgradeOptions,
): Promise<ExitCode> {
  const progress = progressLine(command);
  const isUrl = /^https?:\/\//.test(file);
  if (!isUrl && /^\/(var\/)?tmp\//.test(resolve(command.io.cwd, file)))
    throw new AgentdError("usage", "upgrade", `${file} lies where the root service does not look`, {
      hint: "Its /tmp and /var/tmp are its own: move the bundle to your home folder or to /data.",
    });
  const local = isUrl ? await fetched(command, file, progress) : resolve(command.io.cwd, file);
  const params = {
    file: local,
    allow_downgrade: options.allowDowngrade === true,
    automatic: options.automatic === true,
  };
  const onProgress = (text: string) => progress.show(text, STAGES[text.split(" ")[0] ?? ""] ?? 0);
  const done = await askSystem("install-bundle", params, { onProgress }).finally(progress.end);
  if (isUrl) await rm(local, { force: true });
  const { rebootAt } = options;
  if (rebootAt !== undefined) await askSystem("restart-machine", { at: rebootAt });
  if (command.json) printJson(command, { ...done, reboot_at: rebootAt ?? null });
  else {
    printLine(
      command,
      `version ${done.version} is in slot ${done.slot} and starts next; it is kept when it has proved that it works`,
    );
    if (rebootAt === undefined) printLine(command, "start it: sudo systemctl reboot");
  }
  return 0;
}

export async function systemRollback(
  command: Command,
  { yes = false }: { readonly yes?: boolean },
): Promise<ExitCode> {
  if (!yes && !(await agrees(command, "Start the other slot next?"))) return 4;
  const done = await askSystem("rollback", {});
  if (command.json) printJson(command, done);
  else
    printLine(
      command,
      `slot ${done.slot}, version ${done.version}, starts next: sudo systemctl reboot`,
    );
  return 0;
}

export async function systemFactoryReset(
  command: Command,
  { yes = false, keepAccess = false }: { readonly yes?: boolean; readonly keepAccess?: boolean },
): Promise<ExitCode> {
  const what = keepAccess
    ? "everything but the network's settings and the SSH keys"
    : "everything, the SSH keys too";
  if (!yes && !(await agrees(command, `The next start erases ${what}. Go on?`))) return 4;
  await askSystem("factory-reset", { keep_access: keepAccess });
  if (command.json) printJson(command, { at: "next start", keep_access: keepAccess });
  else printLine(command, `the next start erases ${what}: sudo systemctl reboot`);
  return 0;
}

/** How far each stage of an upgrade is, by its first word. */
const STAGES: Readonly<Record<string, number>> = {
  checking: 0.1,
  copying: 0.25,
  writing: 0.3,
  reading: 0.9,
};

function describe(status: SlotsStatus): readonly string[] {
  const { fallback } = status;
  return [
    `runs version ${status.version} from slot ${status.running}; slot ${status.next} starts next`,
    ...status.slots.map(describeSlot),
    ...(fallback === null
      ? []
      : [
          `slot ${fallback.from} (version ${fallback.version}) was left for ${fallback.to} at ${fallback.time}: ${fallback.reason}`,
        ]),
    ...(status.degraded === null ? [] : [`the data volume is not in use: ${status.degraded}`]),
    ...(status.mended ? ["the boot environment was damaged and has been mended"] : []),
  ];
}

function describeSlot({
  slot,
  version,
  bootable,
  confirmed,
  tries,
  problem,
  intact,
}: SlotStatus): string {
  const state = !bootable
    ? "is not started"
    : confirmed
      ? "has proved that it works"
      : `is on trial, started ${tries} times`;
  const sum =
    intact === null ? "" : intact ? "; holds what was written" : "; does NOT hold what was written";
  const why = problem === null ? "" : `; ${problem}`;
  return `slot ${slot}: ${version ?? "no version"}, ${state}${sum}${why}`;
}
