import type { MachineStatus } from "../../appliance/status/machine-status.js";

/** What the troubles are judged by, read here and now. */
export interface Surroundings {
  readonly machine: MachineStatus;
  /** Milliseconds since 1970, and whether a time server has set it. */
  readonly now: number;
  readonly isTimeSet: boolean;
  /** Names of those that a system could be kept on. */
  readonly disks: readonly string[];
  /** What the start of an installed disk left in /run/aaos/degraded; empty where all is well. */
  readonly degraded: string;
}

const MIB = 1_048_576;
const EMPTY_BYTES = 32 * MIB;
const SCARCE_MEMORY_BYTES = 1_100 * MIB;

/** What is missing or wrong on this machine, in words, for its screen; what is well is not told. Pure. */
export function troublesOf(around: Surroundings): readonly string[] {
  const { machine, now, isTimeSet, disks, degraded } = around;
  const isLive = machine.booted_from === "live";
  return [
    ...(degraded === "" ? [] : [`The data volume is not in use: ${degraded}`]),
    ...(machine.data_volume === null ? [] : [`The data volume: ${machine.data_volume}`]),
    ...machine.disks
      .filter(({ free, total }) => total > 0 && free < EMPTY_BYTES)
      .map(({ path, free }) => `${path} is full (${Math.floor(free / MIB)} MB free): remove files`),
    ...(isTimeSet
      ? []
      : [
          // To the day: what changed each minute would never come to rest.
          `No time server has set the clock, which says ${new Date(now).toISOString().slice(0, 10)}`,
        ]),
    ...(isLive && disks.length === 0
      ? ["There is no disk: this system runs from its medium and keeps nothing"]
      : []),
    ...(machine.memory.total > 0 && machine.memory.total < SCARCE_MEMORY_BYTES
      ? [`Only ${Math.round(machine.memory.total / MIB)} MB of memory: few agents at a time`]
      : []),
  ];
}
