import type { HostFacts } from "../protocol/compile.js";
import type { CgroupGroup, CgroupPlan, ConfinementPlan } from "../protocol/confinement.js";

const MIB = 1_048_576;
const GIB = 1_024 * MIB;

/** Bounds of one confined process with all that it starts. */
export interface Limits {
  readonly memory_bytes: number;
  readonly processes: number;
  readonly cpu_millis: number;
  readonly io_weight: number;
  readonly open_files: number;
  readonly file_bytes: number;
  readonly tmp_bytes: number;
  readonly cpu_seconds: number;
}

/** What all confined processes of one agent may use together. */
export interface AgentLimits {
  readonly memory_bytes: number;
  readonly processes: number;
  /** Its share of processors and disks beside other agents; 100 is the usual. */
  readonly weight: number;
}

export type LimitClass = "files" | "small" | "build" | "web" | "model";

/** Generous for honest work, and far below what would hurt the host. `/tmp` counts as memory. */
const LIMITS: Readonly<Record<LimitClass, Limits>> = {
  files: {
    memory_bytes: 64 * MIB,
    processes: 4,
    cpu_millis: 1_000,
    io_weight: 200,
    open_files: 512,
    file_bytes: 4 * GIB,
    tmp_bytes: 0,
    cpu_seconds: 86_400,
  },
  small: {
    memory_bytes: GIB,
    processes: 128,
    cpu_millis: 2_000,
    io_weight: 100,
    open_files: 1_024,
    file_bytes: 2 * GIB,
    tmp_bytes: 128 * MIB,
    cpu_seconds: 3_600,
  },
  build: {
    memory_bytes: 4 * GIB,
    processes: 1_024,
    cpu_millis: 4_000,
    io_weight: 50,
    open_files: 4_096,
    file_bytes: 8 * GIB,
    tmp_bytes: GIB,
    cpu_seconds: 14_400,
  },
  web: {
    memory_bytes: 512 * MIB,
    processes: 64,
    cpu_millis: 1_000,
    io_weight: 100,
    open_files: 512,
    file_bytes: 0,
    tmp_bytes: 0,
    cpu_seconds: 86_400,
  },
  model: {
    memory_bytes: GIB,
    processes: 64,
    cpu_millis: 1_000,
    io_weight: 50,
    open_files: 512,
    file_bytes: 0,
    tmp_bytes: 0,
    cpu_seconds: 86_400,
  },
};

export function limitsOf(kind: LimitClass): Limits {
  return LIMITS[kind];
}

/**
 * The rlimits, which bind each process, and the cgroup leaf, which binds them all together; `name` is the leaf's, or `GROUP/NAME` in
 * the group of an agent that has the limits `together`. A controller that is not delegated is told in `notes`, with what stands in for
 * it.
 */
export function compileLimits(
  limits: Limits,
  cgroup: HostFacts["cgroup"],
  name: string,
  together: AgentLimits,
): {
  readonly rlimits: ConfinementPlan["rlimits"];
  readonly cgroup: CgroupPlan | null;
  readonly notes: readonly string[];
} {
  const rlimits = {
    core: 0,
    cpu: limits.cpu_seconds,
    data: limits.memory_bytes,
    fsize: limits.file_bytes,
    memlock: MIB,
    nofile: limits.open_files,
    nproc: limits.processes,
  };
  const has = (controller: "memory" | "pids" | "cpu" | "io") =>
    cgroup?.controllers.includes(controller) === true;
  const notes = (["memory", "pids", "cpu", "io"] as const)
    .filter((controller) => !has(controller))
    .map((controller) => `no cgroup ${controller} controller: ${STAND_IN[controller]}`);
  if (cgroup === null) return { rlimits, cgroup: null, notes };
  const [leafName = "", groupName] = name.split("/").reverse();
  const group: CgroupGroup | null =
    groupName === undefined
      ? null
      : {
          name: groupName,
          memory_max_bytes: has("memory") ? together.memory_bytes : null,
          pids_max: has("pids") ? together.processes : null,
          cpu_weight: has("cpu") ? together.weight : null,
          io_weight: has("io") ? together.weight : null,
        };
  const leaf = {
    parent: cgroup.parent,
    group,
    name: leafName,
    memory_max_bytes: has("memory") ? limits.memory_bytes : null,
    pids_max: has("pids") ? limits.processes : null,
    cpu_max_millis: has("cpu") ? limits.cpu_millis : null,
    io_weight: has("io") ? limits.io_weight : null,
  };
  return { rlimits, cgroup: leaf, notes };
}

const STAND_IN = {
  memory: "memory is bounded for each process (RLIMIT_DATA), not for all together",
  pids: "processes are bounded by RLIMIT_NPROC",
  cpu: "processor time is bounded for each process (RLIMIT_CPU), its share is not",
  io: "the share of disk traffic is not bounded",
} as const;
