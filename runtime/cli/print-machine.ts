import type { MachineStatus } from "../appliance/status/machine-status.js";
import { formatDuration } from "../base/duration.js";
import type { Command } from "./command.js";
import { plainLine } from "./plain-text.js";
import { printLine } from "./print.js";

/** A line for each thing that is known of the machine. */
export function printMachine(command: Command, status: MachineStatus): void {
  for (const [name, text] of rows(status))
    printLine(command, `${name.padEnd(12)} ${plainLine(text)}`);
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
    ...(status.data_volume === null ? [] : [["data volume", status.data_volume] as const]),
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
  ];
}

function size(bytes: number): string {
  const mib = bytes / 1_048_576;
  return mib >= 10_240 ? `${Math.round(mib / 1_024)} GB` : `${Math.round(mib)} MB`;
}
