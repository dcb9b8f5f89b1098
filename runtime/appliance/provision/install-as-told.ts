import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { appliedText, yamlText } from "../../catalog/provision.js";
import { PARTITION } from "../../protocol/disk-layout.js";
import type { ProvisionFile, ProvisionOutcome } from "../../protocol/provision-file.js";
import { chooseDisk, type Disk, listDisks } from "../disk/find-disk.js";
import { installDisk } from "../disk/install-disk.js";
import { BOOT_FILES, LIVE_SYSTEM } from "../disk/live-medium.js";
import { textIfThere } from "../if-there.js";
import { type Machine, mustRun } from "../machine.js";
import type { VerbContext } from "../verb.js";

const PROBE = "/run/aaos/installed";

type Install = NonNullable<ProvisionFile["install"]>;

/**
 * Says so where the disk that `install:` names was installed by this very file before: a medium that is still in when the machine starts
 * again erases nothing. It is known without its secrets, for they are taken out of the medium.
 */
export async function installedBefore(
  file: ProvisionFile,
  install: Install,
  { machine }: VerbContext,
): Promise<string | undefined> {
  const disk = chooseDisk(await listDisks(machine), nameOf(install.disk));
  return (await installerOf(machine, disk)) === digestOf(file)
    ? `${disk.path} was installed by this file: take the medium out and start again`
    : undefined;
}

function digestOf(file: ProvisionFile): string {
  return createHash("sha256").update(appliedText(file)).digest("hex");
}

/**
 * What `install:` of aaos.yaml says, on a live system: the disk that it names becomes this machine's, and gets the file as its seed. A
 * disk that holds something is erased only where `wipe` says so.
 */
export async function installAsTold(
  file: ProvisionFile,
  install: Install,
  context: VerbContext,
): Promise<Pick<ProvisionOutcome, "state" | "problems" | "notes">> {
  const { machine, signal, progress } = context;
  const disk = chooseDisk(await listDisks(machine), nameOf(install.disk));
  if (disk.holds.length > 0 && !install.wipe)
    return {
      ...{ state: "refused", notes: [] },
      problems: [`install.disk: ${disk.path} holds ${disk.holds.join("; ")}; wipe: true erases it`],
    };
  progress(`installing to ${disk.path}`);
  const folder = mkdtempSync(join(machine.at("/run"), ".aaos-seed-"));
  try {
    const seedFile = join(folder, "aaos.yaml");
    writeFileSync(seedFile, yamlText(file), { mode: 0o600 });
    const version = readFileSync(machine.at("/usr/lib/aaos/version"), "utf8").trim();
    await installDisk(machine, {
      ...{ target: disk.path, targetBytes: disk.sizeBytes, isFile: false, version },
      ...{ squashfs: machine.at(LIVE_SYSTEM), bootDir: machine.at(BOOT_FILES) },
      ...{ seed: seedFile, installedBy: digestOf(file), onProgress: () => {}, signal },
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return { state: "installed", problems: [], notes: [`aaOS is on ${disk.path}`] };
}

/** A bare word is a serial: paths change. */
function nameOf(disk: string): string {
  return disk === "auto" || /^(\/dev\/|serial:)/.test(disk) ? disk : `serial:${disk}`;
}

/** The SHA-256 of the file that installed the disk; undefined for every other disk. Looked at without changing it. */
async function installerOf(machine: Machine, disk: Disk): Promise<string | undefined> {
  const partition = `${disk.path}${/\d$/.test(disk.path) ? "p" : ""}${PARTITION.data}`;
  const at = machine.at(PROBE);
  mkdirSync(at, { recursive: true, mode: 0o700 });
  const options = "ro,noload,nosuid,nodev,noexec";
  const { status } = await machine.run("mount", ["-t", "ext4", "-o", options, partition, at]);
  try {
    return status === 0 ? textIfThere(join(at, "slots/installed-by"))?.trim() : undefined;
  } finally {
    if (status === 0) await mustRun(machine, "umount", [at]);
    rmdirSync(at);
  }
}
