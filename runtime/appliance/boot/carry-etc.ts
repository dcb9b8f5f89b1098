import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { freshSlot, type Slot } from "../../protocol/slots.js";
import { type Machine, mustRun } from "../machine.js";
import { changeEnvironment, withBootPartition } from "./boot-environment.js";

/**
 * The new slot starts with the settings of the running one; a rollback finds the old ones as they were. `dir` holds a folder for each
 * slot. The copy is whole and on the disk before it takes the place of what was there.
 */
export async function copyEtc(
  machine: Machine,
  dir: string,
  { running, target }: { readonly running: Slot; readonly target: Slot },
): Promise<void> {
  const from = join(dir, running, "etc");
  const to = join(dir, target, "etc");
  const [part, old] = [`${to}.part`, `${to}.old`];
  for (const left of [part, old]) rmSync(left, { recursive: true, force: true });
  mkdirSync(join(dir, target), { recursive: true, mode: 0o700 });
  // With what an overlay marks its files by: devices and extended attributes.
  if (existsSync(from)) await mustRun(machine, "cp", ["--archive", from, part]);
  await mustRun(machine, "sync", ["--file-system", dir]);
  if (existsSync(to)) renameSync(to, old);
  if (existsSync(part)) renameSync(part, to);
  for (const left of [old, `${to}.work`]) rmSync(left, { recursive: true, force: true });
  await mustRun(machine, "sync", ["--file-system", dir]);
}

/** At the end of a system behind which a new slot waits: what has become of /etc since that was written goes along. */
export async function carryEtc(machine: Machine, dir: string, running: Slot): Promise<void> {
  const { state } = await withBootPartition(machine, (folder) =>
    changeEnvironment(folder, running, []),
  );
  const target = freshSlot(state, running);
  if (target !== undefined) await copyEtc(machine, dir, { running, target });
}
