import { type MachineStatus, machineStatus } from "../../appliance/status/machine-status.js";
import { formatDuration } from "../../base/duration.js";
import { AgentdError } from "../../protocol/agentd-error.js";
import type { ExitCode } from "../../protocol/error-code.js";
import type { Command } from "../command.js";
import { plainLine } from "../plain-text.js";
import { printJson, printLine } from "../print.js";

/** The machine itself: version, slot, uptime, disk, memory, temperature, network, selftest, pending upgrade. Works without a daemon. */
export function systemStatus(command: Command): ExitCode {
  const status = machineStatus(command.places);
  if (command.json) printJson(command, status);
  else
    for (const [name, text] of rows(status))
      printLine(command, `${name.padEnd(12)} ${plainLine(text)}`);
  return 0;
}

/** The screen of the console. Needs a terminal. */
export async function systemConsole(command: Command): Promise<ExitCode> {
  if (command.io.stdin.isTTY !== true || command.io.stdout.isTTY !== true)
    throw new AgentdError("usage", "system console", "there is no terminal to draw on", {
      hint: "It stands in the place of getty: aaos-console@tty1.service. `agentd system status` tells the same.",
    });
  const { runConsole } = await import("../console/console.js");
  return runConsole(command);
}

function rows(status: MachineStatus): readonly (readonly [string, string])[] {
  const { memory, temperature_c, selftest, provisioning } = status;
  return [
    ["version", `${status.product} ${status.version}, ${status.booted_from}`],
    ["host", `${status.host}, up ${formatDuration(status.uptime_s * 1_000)}`],
    ["memory", `${size(memory.available)} of ${size(memory.total)} available`],
    ...status.disks.map(
      ({ path, free, total }) => ["disk", `${path}: ${size(free)} of ${size(total)} free`] as const,
    ),
    ["temperature", temperature_c === null ? "not measured here" : `${temperature_c} °C`],
    ...status.network.map(
      ({ name, mac, addresses }) =>
        [
          "network",
          `${name} ${mac} ${addresses.length === 0 ? "no address" : addresses.join(", ")}`,
        ] as const,
    ),
    ["host key", status.host_key ?? "none"],
    [
      "provisioning",
      provisioning === null
        ? "none"
        : [provisioning.state.replace("_", " "), ...provisioning.problems].join("; "),
    ],
    [
      "selftest",
      selftest === null
        ? "not done since the start"
        : `${selftest.ok ? "passed" : "failed"} at ${selftest.time}`,
    ],
    [
      "upgrade",
      status.pending_upgrade === null
        ? "none pending"
        : `${status.pending_upgrade} starts at the next boot`,
    ],
  ];
}

function size(bytes: number): string {
  const mib = bytes / 1_048_576;
  return mib >= 10_240 ? `${Math.round(mib / 1_024)} GB` : `${Math.round(mib)} MB`;
}
