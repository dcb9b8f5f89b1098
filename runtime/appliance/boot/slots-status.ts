import { existsSync, readFileSync } from "node:fs";
import { AgentdError } from "../../protocol/agentd-error.js";
import type { SlotStatus, SlotsStatus } from "../../protocol/machine-status.js";
import { chosenSlot, SLOTS, type Slot, type SlotState } from "../../protocol/slots.js";
import { sha256At } from "../disk/copy-verified.js";
import { type Machine, mustRun } from "../machine.js";
import { changeEnvironment, type FoundBootState, withBootPartition } from "./boot-environment.js";
import { readKernelArguments } from "./running-slot.js";
import { openSlotRecords, SLOT_FILES, type SlotRecords } from "./slot-records.js";

const DEGRADED = "/run/aaos/degraded";
export const VERSION_FILE = "/usr/lib/aaos/version";

/** The slot that runs; throws `unavailable` on a system that does not run from an installed disk. */
export function runningSlot(machine: Machine): Slot {
  const { slot } = readKernelArguments(machine);
  if (slot !== undefined) return slot;
  throw new AgentdError(
    "unavailable",
    "look at the slots",
    "this system does not run from an installed disk",
    { hint: "`sudo agentd system install DISK` puts it on one." },
  );
}

/** Both slots, the next start, and the story of the last fall. `verify` reads each slot whole and compares. */
export async function slotsStatus(
  machine: Machine,
  verify: boolean,
  signal: AbortSignal,
): Promise<SlotsStatus> {
  const running = runningSlot(machine);
  const records = openSlotRecords(SLOT_FILES);
  const found: FoundBootState = await withBootPartition(machine, (folder) =>
    changeEnvironment(folder, running, []),
  );
  const slots: SlotStatus[] = [];
  for (const slot of SLOTS) {
    const told = tellSlot(slot, found.state.slots[slot], records);
    slots.push({ ...told, intact: verify ? await isIntact(machine, slot, records, signal) : null });
  }
  return {
    running,
    version: readFileSync(VERSION_FILE, "utf8").trim(),
    next: chosenSlot(found.state).slot,
    slots,
    fallback: records.fallback() ?? null,
    degraded: existsSync(DEGRADED) ? readFileSync(DEGRADED, "utf8").trim() : null,
    mended: found.source !== "environment",
  };
}

function tellSlot(
  slot: Slot,
  { ok, confirmed, tries }: SlotState,
  records: SlotRecords,
): Omit<SlotStatus, "intact"> {
  const verdict = records.verdict(slot);
  return {
    ...{ slot, version: records.image(slot)?.version ?? null, bootable: ok, confirmed, tries },
    problem: verdict?.ok === false ? verdict.reason : null,
  };
}

/** Null for a slot of which nothing is recorded. */
async function isIntact(
  machine: Machine,
  slot: Slot,
  records: SlotRecords,
  signal: AbortSignal,
): Promise<boolean | null> {
  const image = records.image(slot);
  if (image === undefined) return null;
  const device = `/run/aaos/disk/${slot.toLowerCase()}`;
  await mustRun(machine, "blockdev", ["--flushbufs", device]);
  return (await sha256At(device, 0, image.size_bytes, signal)) === image.sha256;
}
