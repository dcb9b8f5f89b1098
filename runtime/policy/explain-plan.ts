import type { Compiled, KernelStrength } from "../protocol/compile.js";
import type { ConfinementPlan, RootEntry } from "../protocol/confinement.js";

const HELD_BY: Readonly<Record<KernelStrength["holds"], string>> = {
  exact: "kernel",
  tree: "kernel, and the check above for the rest",
  check: "the check above",
  absent: "not given",
};

/** The compiled plan for people: what of it the kernel holds, what the check above, and everything the process finds. */
export function explainPlan(compiled: Extract<Compiled, { ok: true }>): readonly string[] {
  const { plan, kernel_strength, notes } = compiled;
  return [
    ...kernel_strength.map(({ capability, holds, note }) => {
      return `${capability}: ${HELD_BY[holds]}${note === "" ? "" : ` (${note})`}`;
    }),
    ...plan.root.filter(isOfTheUser).map(rootLine),
    `system: ${plan.root.filter((entry) => !isOfTheUser(entry)).length} read-only system files and directories, empty places for temporary files, nothing else`,
    `Landlock ABI ${plan.landlock.abi}: ${plan.landlock.fs_rules.length} rules on files, ${plan.landlock.net_rules.length} on ports; all else is refused`,
    `system calls: ${allowedCalls(plan)} by name, the others are refused`,
    networkLine(plan),
    execLine(plan),
    limitsLine(plan),
    ...notes.map((note) => `note: ${note}`),
  ];
}

/** The user's own places: everything bound but what programs consist of. */
function isOfTheUser(entry: RootEntry): boolean {
  if (entry.type === "bind") return entry.mode !== "exec";
  return entry.type === "protect" || (entry.type === "tmpfs" && entry.inodes < 64);
}

function rootLine(entry: RootEntry): string {
  if (entry.type === "tmpfs") return `${entry.path}: hidden`;
  if (entry.type === "protect") return `${entry.path}: read-only, and cannot be moved away`;
  if (entry.type !== "bind") return entry.path;
  switch (entry.mode) {
    case "ro":
      return `${entry.path}: read-only`;
    case "rw":
      return `${entry.path}: read and written, nothing in it can be run`;
    case "write":
      return `${entry.path}: written and not read, nothing in it can be run`;
    case "rwx":
      return `${entry.path}: read and written, and what is built in it can be run`;
    case "exec":
      return `${entry.path}: read-only, may be run`;
  }
}

function allowedCalls({ seccomp }: ConfinementPlan): number {
  const allowed = seccomp.rules.filter(({ action }) => action === "allow");
  return new Set(allowed.map(({ nr }) => nr)).size;
}

function networkLine({ listeners, kind }: ConfinementPlan): string {
  if (listeners.length > 0) return "network: the egress proxy of its own network namespace alone";
  return kind === "files" ? "network: no socket call" : "network: none, and no socket of any kind";
}

function execLine({ exec_limit, root }: ConfinementPlan): string {
  const programs = root.filter((entry) => entry.type === "bind" && entry.mode === "exec").length;
  if (exec_limit === 1) return "programs: itself, once";
  const times = exec_limit === null ? "" : `, at most ${exec_limit} times`;
  return `programs: those of its profile (${programs} files and directories)${times}`;
}

function limitsLine({ cgroup, rlimits }: ConfinementPlan): string {
  const mib = (bytes: number | null | undefined) =>
    bytes === null || bytes === undefined ? "unbounded" : `${Math.round(bytes / 1_048_576)} MiB`;
  const ofAll = cgroup?.memory_max_bytes ?? null;
  const memory = ofAll ?? rlimits.data;
  const processes = cgroup?.pids_max ?? rlimits.nproc;
  return `limits: ${mib(memory)} of memory${ofAll === null ? " a process" : ""}, ${processes} processes, files up to ${mib(rlimits.fsize)}`;
}
