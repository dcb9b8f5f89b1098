import type { Compiled, HostFacts, KernelStrength } from "../protocol/compile.js";
import type { ConfinementPlan, EgressListener } from "../protocol/confinement.js";
import { type GrantPieces, writeTrees } from "./compile-grants.js";
import { compileLandlock } from "./compile-landlock.js";
import { type AgentLimits, compileLimits, type Limits } from "./compile-limits.js";
import { assembleRoot, type Piece } from "./compile-root.js";
import { compileSeccomp } from "./compile-seccomp.js";
import { INSIDE_ID } from "./compile-system.js";
import type { LandlockAbi } from "./landlock-abi.js";
import { isWithin, type KernelUnit, type Units } from "./path-grants.js";

/** What the kinds of process differ in. */
export interface PlanParts {
  readonly kind: ConfinementPlan["kind"];
  readonly cgroupName: string;
  readonly system: readonly Piece[];
  readonly units: Units;
  readonly grants: GrantPieces;
  readonly limits: Limits;
  /** Of all its agent's processes. */
  readonly together: AgentLimits;
  readonly listeners: readonly EgressListener[];
  readonly dev: boolean;
  readonly proc: ConfinementPlan["proc"];
  readonly execLimit: number | null;
  readonly executable: string;
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly umask: number;
  readonly strength: readonly KernelStrength[];
}

/** More entries than this are refused by the plan's schema; the launcher's own bound is on its bytes. */
const MAX_ENTRIES = 1_000;
const ROOT_BYTES = 1_048_576;

/** The plan from its parts: the layers side by side, each from its own mechanism. */
export function buildPlan(parts: PlanParts, facts: HostFacts, abi: LandlockAbi): Compiled {
  const { units, grants } = parts;
  const problems = [...units.problems, ...grants.problems, ...reservedProblems(units)];
  const root = assembleRoot(parts.system, grants.pieces);
  if (root.length > MAX_ENTRIES) problems.push(`its root would need ${root.length} mounts`);
  if (problems.length > 0) return { ok: false, problem: [...new Set(problems)].join("; ") };
  const isKept = (piece: Piece) =>
    piece.entry === null || piece.entry.type === "bind" || root.includes(piece.entry);
  const network = parts.listeners.length > 0;
  const limits = compileLimits(parts.limits, facts.cgroup, parts.cgroupName, parts.together);
  const plan: ConfinementPlan = {
    kind: parts.kind,
    hostname: "agent",
    uid: INSIDE_ID,
    gid: INSIDE_ID,
    namespaces:
      parts.kind === "files"
        ? ["user", "mount", "pid", "ipc", "uts", "cgroup"]
        : ["user", "mount", "pid", "ipc", "uts", "cgroup", "net"],
    root,
    root_size_bytes: ROOT_BYTES,
    dev: parts.dev,
    proc: parts.proc,
    landlock: compileLandlock(
      abi,
      [...parts.system.filter(isKept), ...grants.pieces],
      parts.listeners,
    ),
    seccomp: compileSeccomp(parts.kind, { network, watching: !hasDropBox(units) }, facts.arch),
    rlimits: limits.rlimits,
    cgroup: limits.cgroup,
    listeners: [...parts.listeners],
    exec_limit: parts.execLimit,
    executable: parts.executable,
    argv: [...parts.argv],
    env: { ...parts.env },
    cwd: parts.cwd,
    umask: parts.umask,
  };
  const { standing } = grants;
  return {
    ok: true,
    plan,
    kernel_strength: parts.strength,
    notes: [...abiNotes(abi), ...limits.notes, ...grants.notes, ...creationNotes(parts)],
    depends_on: dependsOn(units),
    make_dirs: missingDirs(units.units, standing),
    rescan: parts.kind === "program" ? outermost(writeTrees(units.units, standing)) : [],
  };
}

/** True where something may be written that may not be read. */
function hasDropBox({ units }: Units): boolean {
  const read = units.filter(({ right }) => right === "read");
  return units.some(
    ({ right, path }) => right === "write" && !read.some((other) => isWithin(path, other.path)),
  );
}

/** Places of the private root that are always ours. */
function reservedProblems({ units }: Units): readonly string[] {
  return units
    .filter(({ path }) => /^\/(dev|proc|sys)(\/|$)/.test(path))
    .map(({ capability, path }) => `${capability}: ${path} belongs to the sandbox itself`);
}

function abiNotes({ abi, scopes }: LandlockAbi): readonly string[] {
  if (scopes.length > 0) return [];
  const layer = "abstract sockets and signals are held by the namespaces alone";
  return [`Landlock ABI ${abi} knows no scopes: ${layer}`];
}

/** What no rule of the kernel can say: that a file of a certain name must not be made. */
function creationNotes({ kind, grants, units }: PlanParts): readonly string[] {
  if (writeTrees(units.units, grants.standing).length === 0) return [];
  const what = "a protected file that does not exist yet (.env, .git, …)";
  return kind === "files"
    ? [`making ${what} is refused by name, by the check above`]
    : [
        `making ${what} cannot be refused by the kernel: the tree is searched when the program has ended`,
      ];
}

function dependsOn({ units, holes }: Units): readonly string[] {
  return [...new Set([...units, ...holes].map(({ path }) => path))].sort();
}

function missingDirs(
  units: readonly KernelUnit[],
  standing: GrantPieces["standing"],
): readonly string[] {
  const missing = units.filter(
    (unit) => unit.right === "write" && unit.shape === "tree" && standing.get(unit) === "absent",
  );
  return [...new Set(missing.map(({ path }) => path))].sort();
}

function outermost(trees: readonly string[]): readonly string[] {
  return trees.filter((tree) => !trees.some((other) => tree.startsWith(`${other}/`)));
}
