import { existsSync, readFileSync } from "node:fs";
import { isSlot, type Slot } from "../../protocol/slots.js";
import type { Machine } from "../machine.js";

export interface KernelArguments {
  /** The slot that runs; undefined on live media and elsewhere. */
  readonly slot: Slot | undefined;
  /** The slot had not been proven when it was started. */
  readonly pending: boolean;
  /** No slot had a try left. */
  readonly exhausted: boolean;
  readonly healthDeadlineMs: number;
}

const DEFAULT_DEADLINE_S = 600;

/** What the boot chooser said on the kernel's command line. */
export function readKernelArguments(machine: Machine): KernelArguments {
  const file = machine.at("/proc/cmdline");
  const words = existsSync(file) ? readFileSync(file, "utf8").trim().split(/\s+/) : [];
  const value = (name: string) =>
    words.findLast((word) => word.startsWith(`${name}=`))?.slice(name.length + 1);
  const slot = value("rauc.slot") ?? "";
  const seconds = Number(value("aaos.health-deadline") ?? DEFAULT_DEADLINE_S);
  return {
    slot: isSlot(slot) ? slot : undefined,
    pending: words.includes("aaos.pending"),
    exhausted: words.includes("aaos.exhausted"),
    healthDeadlineMs: (seconds > 0 ? seconds : DEFAULT_DEADLINE_S) * 1000,
  };
}
