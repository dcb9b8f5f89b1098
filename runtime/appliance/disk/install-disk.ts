import { cpSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AgentdError } from "../../protocol/agentd-error.js";
import { diskLayout, PARTITION, partition, sfdiskScript } from "../../protocol/disk-layout.js";
import { INITIAL_BOOT_STATE } from "../../protocol/slots.js";
import { writeBootEnvironment } from "../boot/boot-environment.js";
import { type Machine, mustRun } from "../machine.js";
import { type Copied, copyVerified } from "./copy-verified.js";

export interface Installation {
  /** A block device, or a file that is the disk of a machine to be. */
  readonly target: string;
  readonly targetBytes: number;
  readonly isFile: boolean;
  /** The system: what a slot holds. */
  readonly squashfs: string;
  /** `mbr.img core.img esp.img grub.cfg`, as `image/make-boot` made them. */
  readonly bootDir: string;
  readonly version: string;
  /** The first boot's aaos.yaml. */
  readonly seed?: string | undefined;
  /** What the disk keeps of the file that installed it: its SHA-256. */
  readonly installedBy?: string | undefined;
  readonly onProgress: (text: string, fraction: number) => void;
  readonly signal: AbortSignal;
}

const MIB = 1024 * 1024;
/** GRUB can read it: what newer features of ext4 it cannot are left out. */
const BOOT_FEATURES = "^metadata_csum,^64bit,^orphan_file";

/**
 * Makes a disk an appliance: slot A holds the system, B nothing, the data volume what the first start needs. The partition table is
 * erased first and written last: a disk whose installation was cut short is no disk that starts, and installing again is all it needs.
 */
export async function installDisk(machine: Machine, work: Installation): Promise<Copied> {
  const { target, bootDir, onProgress, signal } = work;
  const layout = diskLayout(work.targetBytes);
  const start = (number: number) => partition(layout, number).startBytes;
  const settle = () => flush(machine, work);
  const squashBytes = statSync(work.squashfs).size;
  if (squashBytes > partition(layout, PARTITION.A).sizeBytes)
    throw new AgentdError("run_failed", "install", "the system is larger than a slot");
  await erase(work);
  onProgress("writing the system", 0);
  let moved = 0;
  const slot = await copyVerified({
    ...{ from: work.squashfs, to: target, atBytes: start(PARTITION.A), settle, signal },
    onBytes: (bytes) => {
      moved += bytes;
      onProgress(
        moved > squashBytes ? "reading it back" : "writing the system",
        moved / squashBytes / 2,
      );
    },
  });
  onProgress("making the file systems", 1);
  const esp = { from: join(bootDir, "esp.img"), sparse: work.isFile, settle, signal };
  await copyVerified({ ...esp, to: target, atBytes: start(PARTITION.esp) });
  const core = { from: join(bootDir, "core.img"), settle, signal };
  await copyVerified({ ...core, to: target, atBytes: start(PARTITION.bios) });
  const tree = mkdtempSync(join(tmpdir(), "aaos-install-"));
  try {
    for (const [number, fill, features] of [
      [PARTITION.boot, fillBoot, BOOT_FEATURES],
      [PARTITION.data, fillData, ""],
    ] as const) {
      const dir = join(tree, String(number));
      mkdirSync(dir, { mode: 0o700 });
      fill(dir, work, slot);
      const { startBytes, sizeBytes } = partition(layout, number);
      const options = ["-q", "-F", "-t", "ext4", "-m", "1", "-e", "remount-ro", "-d", dir];
      if (features !== "") options.push("-O", features);
      options.push("-E", `offset=${startBytes},root_owner=0:0`, target, `${sizeBytes / 1024}k`);
      await mustRun(machine, "mke2fs", options, { signal });
    }
  } finally {
    rmSync(tree, { recursive: true, force: true });
  }
  const table = [
    "--quiet",
    "--no-reread",
    "--no-tell-kernel",
    "--wipe",
    "never",
    "--wipe-partitions",
    "never",
  ];
  await mustRun(machine, "sfdisk", [...table, target], { stdin: sfdiskScript(layout) });
  await copyVerified({ from: join(bootDir, "mbr.img"), to: target, atBytes: 0, settle, signal });
  if (!work.isFile) await mustRun(machine, "blockdev", ["--rereadpt", target]);
  return slot;
}

/** What is read next comes from the medium, not from memory. */
async function flush(machine: Machine, { target, isFile }: Installation): Promise<void> {
  if (!isFile) await mustRun(machine, "blockdev", ["--flushbufs", target]);
}

/** Both copies of the partition table, and what an older system's own search would find in front. */
async function erase({ target, targetBytes }: Installation): Promise<void> {
  await using disk = await open(target, "r+");
  const zeros = Buffer.alloc(MIB);
  await disk.write(zeros, 0, MIB, 0);
  await disk.write(zeros, 0, MIB, targetBytes - MIB);
  await disk.sync();
}

function fillBoot(dir: string, { bootDir }: Installation): void {
  const grub = join(dir, "grub");
  mkdirSync(grub);
  cpSync(join(bootDir, "grub.cfg"), join(grub, "grub.cfg"));
  writeBootEnvironment(grub, INITIAL_BOOT_STATE);
}

function fillData(
  dir: string,
  { version, seed, installedBy, isFile }: Installation,
  slot: Copied,
): void {
  const record = join(dir, "slots/A");
  mkdirSync(record, { recursive: true, mode: 0o700 });
  const image = { version, sha256: slot.sha256, size_bytes: slot.sizeBytes };
  writeFileSync(join(record, "image.json"), `${JSON.stringify(image)}\n`, { mode: 0o600 });
  // An image may be written to many disks: the first start gives each IDs of its own (overlays: own-disk-ids).
  if (isFile) writeFileSync(join(dir, "slots/image-ids"), "", { mode: 0o600 });
  if (installedBy !== undefined)
    writeFileSync(join(dir, "slots/installed-by"), `${installedBy}\n`, { mode: 0o600 });
  if (seed === undefined) return;
  mkdirSync(join(dir, "seed"), { mode: 0o700 });
  cpSync(seed, join(dir, "seed/aaos.yaml"));
}
