import { readFileSync } from "node:fs";
import { AgentdError } from "../../protocol/agentd-error.js";
import { otherSlot, type Slot } from "../../protocol/slots.js";
import { changeEnvironment, withBootPartition } from "../boot/boot-environment.js";
import { readKernelArguments } from "../boot/running-slot.js";
import { openSlotRecords, SLOT_FILES } from "../boot/slot-records.js";
import { runningSlot, VERSION_FILE } from "../boot/slots-status.js";
import { sha256At } from "../disk/copy-verified.js";
import { type Machine, mustRun } from "../machine.js";
import { readBundle, refusedBundle } from "./bundle.js";
import { whyNot } from "./may-install.js";

export interface InstallRequest {
  readonly file: string;
  readonly allowDowngrade: boolean;
  readonly automatic: boolean;
  readonly progress: (text: string) => void;
  /** Copies the database, consistent and whole, beside itself; gives the copy's path, or undefined where there is none yet. */
  readonly copyDatabase: (version: string) => string | undefined;
  readonly signal: AbortSignal;
}

export interface Installed {
  readonly slot: Slot;
  readonly version: string;
  readonly database_copy: string | null;
}

const SYSTEM_CONF = "/etc/rauc/system.conf";

/**
 * Puts a bundle into the slot that does not run, and wants it at the next start. The order is what makes a power cut harmless: the
 * slot is marked as being written before a byte of it changes, what was written is read back, whose settings it takes along is written
 * down, and only then is it wanted.
 */
export async function installBundle(machine: Machine, request: InstallRequest): Promise<Installed> {
  const { progress, signal } = request;
  const running = runningSlot(machine);
  const target = otherSlot(running);
  const records = openSlotRecords(SLOT_FILES);
  const version = readFileSync(VERSION_FILE, "utf8").trim();
  progress("checking the bundle");
  const bundle = await readBundle(machine, request.file, signal);
  const device = `/run/aaos/disk/${target.toLowerCase()}`;
  const { state } = await withBootPartition(machine, (folder) =>
    changeEnvironment(folder, running, []),
  );
  const failed = records.verdict(target);
  const refusal = whyNot(bundle, {
    compatible: compatibleOf(machine),
    version,
    confirmed: state.slots[running].confirmed,
    slotBytes: Number((await mustRun(machine, "blockdev", ["--getsize64", device])).trim()),
    failed: failed?.ok === false ? failed : undefined,
    allowDowngrade: request.allowDowngrade,
    automatic: request.automatic,
  });
  if (refusal !== undefined)
    throw new AgentdError("invalid_file", "upgrade", refusal.why, { hint: refusal.hint });
  progress("copying the database");
  const copy = request.copyDatabase(version);
  progress(`writing ${bundle.version} to slot ${target}`);
  const { status, stderr } = await machine.run("rauc", ["install", bundle.file], { signal });
  if (status !== 0) throw refusedBundle(bundle.file, stderr);
  progress("reading it back");
  await mustRun(machine, "blockdev", ["--flushbufs", device]);
  const found = await sha256At(device, 0, bundle.sizeBytes, signal);
  if (found !== bundle.sha256)
    throw new AgentdError(
      "run_failed",
      "upgrade",
      `slot ${target} does not hold what was written to it`,
      {
        hint: "The disk is failing: back up (`agentd system backup`) and replace it. This slot goes on.",
      },
    );
  records.forget(target);
  records.carryFrom(target, running);
  records.writeImage(target, {
    version: bundle.version,
    sha256: found,
    size_bytes: bundle.sizeBytes,
  });
  await withBootPartition(machine, (folder) =>
    changeEnvironment(folder, running, [{ type: "wanted", slot: target }]),
  );
  return { slot: target, version: bundle.version, database_copy: copy ?? null };
}

/** The kind of machine that this is. */
export function compatibleOf(machine: Machine): string {
  return /^compatible=(.*)$/m.exec(readFileSync(machine.at(SYSTEM_CONF), "utf8"))?.[1] ?? "";
}

/** Why a version was left by this machine, or by an operator; null where it was not. */
export function failedBefore(machine: Machine, version: string | undefined): string | null {
  const { slot } = readKernelArguments(machine);
  if (slot === undefined || version === undefined) return null;
  const verdict = openSlotRecords(SLOT_FILES).verdict(otherSlot(slot));
  return verdict?.ok === false && verdict.version === version ? verdict.reason : null;
}
