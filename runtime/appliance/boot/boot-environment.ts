import {
  closeSync,
  constants,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmdirSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { AgentdError } from "../../protocol/agentd-error.js";
import {
  type BootChange,
  type BootState,
  changeBoot,
  INITIAL_BOOT_STATE,
  parseBootState,
  renderBootState,
  type Slot,
} from "../../protocol/slots.js";
import { type Machine, mustRun } from "../machine.js";

/** The initramfs makes these links to the partitions of the disk that was started. */
const BOOT_PARTITION = "/run/aaos/disk/boot";
const MOUNT_POINT = "/run/aaos/boot";
/** Longer than anybody who lives holds it. */
const STALE_MS = 30_000;

/** Where the state came from: `backup` and `lost` are told, and mended by the next write. */
export interface FoundBootState {
  readonly state: BootState;
  readonly source: "environment" | "backup" | "lost";
}

/**
 * The environment in the folder `grub` of the boot partition. Where it is torn, its copy; where both are, a state in which the running
 * slot is wanted and proven, so that a machine that runs goes on running.
 */
export function readBootEnvironment(folder: string, running: Slot | undefined): FoundBootState {
  const state = read(join(folder, "grubenv"));
  if (state !== undefined) return { state, source: "environment" };
  const backup = read(join(folder, "grubenv.bak"));
  if (backup !== undefined) return { state: backup, source: "backup" };
  const slot = running ?? "A";
  const wanted = changeBoot(INITIAL_BOOT_STATE, { type: "wanted", slot });
  return { state: changeBoot(wanted, { type: "healthy", slot }), source: "lost" };
}

/** The copy first, then the environment itself, each in place and on the disk before the next: at every moment one of them is whole. */
export function writeBootEnvironment(folder: string, state: BootState): void {
  const block = renderBootState(state);
  for (const name of ["grubenv.bak", "grubenv"]) {
    const fd = openSync(join(folder, name), constants.O_WRONLY | constants.O_CREAT, 0o600);
    try {
      writeSync(fd, block, 0);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  }
}

/**
 * Mounts the boot partition for as long as `use` takes; it is never mounted otherwise. One at a time on the machine: the mount point is
 * the lock, and what a killed process left is taken over after a while.
 */
export async function withBootPartition<T>(
  machine: Machine,
  use: (folder: string) => T,
): Promise<T> {
  if (!existsSync(BOOT_PARTITION))
    throw new AgentdError("unavailable", "open the boot partition", "this is no installed disk", {
      hint: "`sudo agentd system install DISK` makes one.",
    });
  await takeMountPoint(machine);
  try {
    const options = "noatime,nodev,nosuid,noexec";
    await mustRun(machine, "mount", ["-t", "ext4", "-o", options, BOOT_PARTITION, MOUNT_POINT]);
    try {
      return use(join(MOUNT_POINT, "grub"));
    } finally {
      await mustRun(machine, "umount", [MOUNT_POINT]);
    }
  } finally {
    rmdirSync(MOUNT_POINT);
  }
}

async function takeMountPoint(machine: Machine): Promise<void> {
  const until = performance.now() + STALE_MS;
  for (;;) {
    try {
      mkdirSync(MOUNT_POINT, { mode: 0o700 });
      return;
    } catch (thrown) {
      if (performance.now() > until) throw thrown;
    }
    await sleep(200);
    if (performance.now() < until) continue;
    await machine.run("umount", [MOUNT_POINT]);
    rmdirSync(MOUNT_POINT);
  }
}

/** Reads, changes and writes the state; mends what was torn. Gives what stands now. */
export function changeEnvironment(
  folder: string,
  running: Slot | undefined,
  changes: readonly BootChange[],
): FoundBootState {
  const found = readBootEnvironment(folder, running);
  const state = changes.reduce(changeBoot, found.state);
  if (state !== found.state || found.source !== "environment") writeBootEnvironment(folder, state);
  return { state, source: found.source };
}

function read(file: string): BootState | undefined {
  try {
    return parseBootState(readFileSync(file, "latin1"));
  } catch {
    return undefined;
  }
}
