import { machineStatus } from "../../appliance/status/machine-status.js";
import type { ExitCode } from "../../protocol/error-code.js";
import type { SlotStatus, SlotsStatus } from "../../protocol/machine-status.js";
import { agrees } from "../agrees.js";
import { askSystem } from "../ask-system.js";
import type { Command } from "../command.js";
import { printJson, printLine } from "../print.js";
import { printMachine } from "../print-machine.js";

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
  const socketPath = command.places.systemSocketPath;
  const status =
    hasSlots || verify ? await askSystem("slots-status", { verify }, { socketPath }) : null;
  if (command.json) printJson(command, { ...status, machine });
  else {
    printMachine(command, machine);
    for (const line of status === null ? [] : describe(status)) printLine(command, line);
  }
  const wrong =
    machine.data_volume !== null ||
    (status !== null &&
      (status.degraded !== null || status.slots.some(({ intact }) => intact === false)));
  return wrong ? 1 : 0;
}

export async function systemRollback(
  command: Command,
  { yes = false }: { readonly yes?: boolean },
): Promise<ExitCode> {
  if (!yes && !(await agrees(command, "Start the other slot next?"))) return 4;
  const done = await askSystem("rollback", {}, { socketPath: command.places.systemSocketPath });
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
  await askSystem(
    "factory-reset",
    { keep_access: keepAccess },
    { socketPath: command.places.systemSocketPath },
  );
  if (command.json) printJson(command, { at: "next start", keep_access: keepAccess });
  else printLine(command, `the next start erases ${what}: sudo systemctl reboot`);
  return 0;
}

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
