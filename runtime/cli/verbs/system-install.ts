import { existsSync, readFileSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { chooseDisk, type Disk, listDisks } from "../../appliance/disk/find-disk.js";
import { installDisk } from "../../appliance/disk/install-disk.js";
import { BOOT_FILES, LIVE_SYSTEM } from "../../appliance/disk/live-medium.js";
import { openMachine } from "../../appliance/machine.js";
import { AgentdError } from "../../protocol/agentd-error.js";
import { MIN_DISK_BYTES } from "../../protocol/disk-layout.js";
import type { ExitCode } from "../../protocol/error-code.js";
import { askLine } from "../ask-line.js";
import type { Command } from "../command.js";
import { printJson, printLine } from "../print.js";
import { progressLine } from "../progress-line.js";

export interface InstallOptions {
  readonly yes?: boolean;
  readonly from?: string;
  readonly bootFiles?: string;
  readonly seed?: string;
}

/**
 * Puts the system on a disk: DISK is a device, `serial:TEXT`, `auto`, or a file that is to be a machine's disk. Says what it will erase
 * and asks, unless `--yes`; without DISK it lists the disks.
 */
export async function systemInstall(
  command: Command,
  wanted: string | undefined,
  options: InstallOptions,
): Promise<ExitCode> {
  const machine = openMachine();
  const name = wanted ?? (await askedFor(command, await listDisks(machine)));
  if (name === undefined) return command.json || command.io.stdin.isTTY !== true ? 2 : 4;
  const file = resolve(command.io.cwd, name);
  const isFile = existsSync(file) && statSync(file).isFile();
  const disk = isFile ? diskOfFile(file) : chooseDisk(await listDisks(machine), name);
  const from = found(
    options.from ?? LIVE_SYSTEM,
    "the system to install",
    "Start the ISO, or give --from ROOT.squashfs.",
  );
  const bootDir = found(
    options.bootFiles ?? BOOT_FILES,
    "its boot files",
    "Give --boot-files DIR.",
  );
  if (options.yes !== true && !(await agreed(command, disk))) return 4;
  const progress = progressLine(command);
  const version = readFileSync(join(dirname(resolve(bootDir)), "version"), "utf8").trim();
  const slot = await installDisk(machine, {
    ...{ target: disk.path, targetBytes: disk.sizeBytes, isFile, squashfs: from, bootDir, version },
    ...{ seed: options.seed, onProgress: progress.show, signal: command.signal },
  }).finally(() => progress.end());
  if (command.json) printJson(command, { disk: disk.path, version, ...slot });
  else {
    printLine(
      command,
      `aaOS ${version} is on ${disk.path}; what was written was read back and is right.`,
    );
    if (!isFile)
      printLine(command, "Take the medium out and start the machine again: systemctl reboot");
  }
  return 0;
}

function diskOfFile(path: string): Disk {
  const sizeBytes = statSync(path).size;
  if (sizeBytes < MIN_DISK_BYTES)
    throw new AgentdError("usage", "choose disk", `${path} is too small for a disk`, {
      hint: "truncate -s 8G FILE makes one.",
    });
  return { path, sizeBytes, model: "", serial: "", holds: [], refusal: undefined };
}

function found(path: string, what: string, hint: string): string {
  if (existsSync(path)) return path;
  throw new AgentdError("usage", "install", `${what} is not there: ${path}`, { hint });
}

/** Lists the disks; on a terminal asks which one is meant. Undefined where none is. */
async function askedFor(command: Command, disks: readonly Disk[]): Promise<string | undefined> {
  listed(command, disks);
  const { io, json } = command;
  if (json || io.stdin.isTTY !== true) return undefined;
  const answer = await askLine(command, "Install to which disk? (Enter leaves) ");
  return answer === "" ? undefined : answer;
}

function listed(command: Command, disks: readonly Disk[]): void {
  if (command.json) printJson(command, { disks });
  else
    for (const disk of disks)
      printLine(
        command,
        `${titleOf(disk)}${disk.refusal === undefined ? "" : `: ${disk.refusal}`}`,
      );
}

function titleOf({ path, sizeBytes, model, serial }: Disk): string {
  const name = [model, serial === "" ? "" : `serial:${serial}`]
    .filter((it) => it !== "")
    .join(", ");
  return `${path}, ${(sizeBytes / 2 ** 30).toFixed(1)} GiB${name === "" ? "" : ` (${name})`}`;
}

/** The operator types the disk's name: a stray Enter erases nothing. */
async function agreed(command: Command, disk: Disk): Promise<boolean> {
  const { io, json } = command;
  if (json || io.stdin.isTTY !== true)
    throw new AgentdError("usage", "install", "there is no terminal to ask on", {
      hint: "Give --yes to erase the disk without a question.",
    });
  const holds =
    disk.holds.length === 0 ? ["  nothing that is known"] : disk.holds.map((it) => `  ${it}`);
  io.stdout.write(`All of ${titleOf(disk)} will be erased. It holds:\n${holds.join("\n")}\n`);
  return (await askLine(command, `Type ${disk.path} to go on: `)) === disk.path;
}
