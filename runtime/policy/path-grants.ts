import type { Capability } from "../protocol/capability.js";
import type { CompileRequest } from "../protocol/compile.js";
import { type Ceiling, ceilingAllows } from "./ceiling.js";
import { covers, matchGlob, overlaps } from "./glob.js";
import { escapeGlob, treeGlob } from "./glob-syntax.js";
import { formatCapability } from "./grammar.js";
import { coversDir } from "./narrow.js";
import { fixedPrefix } from "./protected-paths.js";

export type PathRight = "read" | "write";

/** One right over one glob, and the capability that gives it. */
export interface PathGrant {
  readonly right: PathRight;
  readonly glob: string;
  /** In the written form. */
  readonly capability: string;
}

/**
 * What the kernel can hold of a path grant: a directory with all below it, or exactly one path. `exact` where this is precisely
 * what the grant says.
 */
export interface KernelUnit extends PathGrant {
  readonly path: string;
  readonly shape: "tree" | "path";
  readonly exact: boolean;
  /** The single path that the grant means where the kernel's unit is the directory around it. */
  readonly names: string | null;
}

/** A place within a unit that the ceiling takes out of it: hidden altogether, or only read. */
export interface Hole {
  readonly path: string;
  readonly kind: "hidden" | "read_only";
}

export interface Units {
  readonly units: readonly KernelUnit[];
  readonly holes: readonly Hole[];
  /** Grants that the ceiling leaves nothing of that the kernel could hold, with the reason. */
  readonly withheld: readonly { readonly capability: string; readonly reason: string }[];
  /** What cannot be enforced: then nothing may be launched. */
  readonly problems: readonly string[];
}

/** The path grants that a process gets: all of the agent's, or those of its purpose (`CompileRequest`). */
export function pathGrants(
  capabilities: readonly Capability[],
  request: CompileRequest,
): readonly PathGrant[] {
  if (request.kind === "web" || request.kind === "model") return [];
  const own = capabilities.flatMap(ownGrant);
  if (request.kind === "files") return own;
  const { purpose } = request;
  switch (purpose.kind) {
    case "exec":
      return own;
    case "file_read":
      return own.filter(({ right }) => right === "read");
    case "git_commit":
    case "cargo_run":
      return capabilities
        .flatMap((one) =>
          one.kind === purpose.kind && coversDir(one.dir, purpose.dir)
            ? [formatCapability(one)]
            : [],
        )
        .flatMap((capability) => {
          const glob = treeGlob(escapeGlob(purpose.dir));
          return (["read", "write"] as const).map((right) => ({ right, glob, capability }));
        });
  }
}

function ownGrant(capability: Capability): readonly PathGrant[] {
  if (capability.kind !== "file_read" && capability.kind !== "file_write") return [];
  const right = capability.kind === "file_read" ? "read" : "write";
  return [{ right, glob: capability.glob, capability: formatCapability(capability) }];
}

/**
 * Cuts the grants by the operator's ceiling into what the kernel holds. Order does not matter; the same set gives the same units.
 * A hole by a pattern that the kernel cannot find is a problem, never overlooked. `replaces`: the process replaces files by renaming,
 * so that a single path to be written means the directory around it.
 */
export function kernelUnits(
  grants: readonly PathGrant[],
  ceiling: Ceiling,
  replaces: boolean,
): Units {
  const cut = grants.map((grant) => ({ grant, units: unitsOf(grant, ceiling) }));
  const all = cut.flatMap(({ units }) => units);
  const widened = replaces ? widen(all, ceiling) : all;
  const units = widened.filter(({ path }) => path !== "/");
  const found = units.flatMap((unit) =>
    holesOf(unit, ceiling).map((hole) => ({ ...hole, capability: unit.capability })),
  );
  const holes = found.flatMap((hole) =>
    hole.path === undefined || inWorkspace(ceiling, hole.path) ? [] : [hole],
  );
  const hidden = holes.filter(({ kind }) => kind === "hidden");
  const isHidden = (unit: KernelUnit) =>
    !inWorkspace(ceiling, unit.path) && hidden.some(({ path }) => isWithin(unit.path, path));
  const withheld = cut
    .map(({ grant }) => grant.capability)
    .filter((capability) => !units.some((one) => one.capability === capability))
    .map((capability) => ({ capability, reason: NOTHING_LEFT }));
  const problems = [
    ...widened
      .filter(({ path }) => path === "/")
      .map(
        ({ capability }) => `${capability}: the root directory cannot be granted; name directories`,
      ),
    ...found.flatMap((hole) =>
      hole.path === undefined ? [`${hole.capability}: ${hole.problem}`] : [],
    ),
    ...units.filter(isHidden).map(({ capability, path }) => `${capability}: ${HIDDEN(path)}`),
  ];
  return {
    units,
    holes: holes
      .filter(({ path, kind }) => kind === "hidden" || !hidden.some((other) => other.path === path))
      .map(({ path, kind }) => ({ path, kind })),
    withheld,
    problems: [...new Set(problems)].sort(),
  };
}

const HIDDEN = (path: string) =>
  `${path} may not be read (read.deny of policy.yaml), but lies within a wider grant; the kernel cannot give writing alone there`;

const NOTHING_LEFT = "policy.yaml leaves nothing of it that the kernel could hold";

/**
 * A single path that is written becomes its directory; so does one that is read where something around it is written, because the
 * file read next is another than the one that stood there first.
 */
function widen(units: readonly KernelUnit[], ceiling: Ceiling): readonly KernelUnit[] {
  const parentOf = (path: string) => path.slice(0, Math.max(path.lastIndexOf("/"), 1));
  const isAllowed = (right: PathRight, path: string) =>
    ceilingAllows(ceiling, { kind: `file_${right}`, path }) === undefined;
  const around = (unit: KernelUnit): KernelUnit => {
    const { path } = unit;
    return { ...unit, path: parentOf(path), shape: "tree", exact: false, names: path };
  };
  const written = units
    .filter(({ right }) => right === "write")
    .map((unit) => (unit.shape === "path" ? around(unit) : unit))
    .filter(({ path, names }) => names === null || isAllowed("write", path));
  const read = units
    .filter(({ right }) => right === "read")
    .map((unit) => {
      const isReplaced = written.some(({ path }) => isWithin(unit.path, path));
      const isWidened =
        unit.shape === "path" && isReplaced && isAllowed("read", parentOf(unit.path));
      return isWidened ? around(unit) : unit;
    });
  return [...read, ...written];
}

function inWorkspace(ceiling: Ceiling, path: string): boolean {
  return ceiling.workspace !== null && matchGlob(ceiling.workspace, path);
}

function unitsOf(grant: PathGrant, ceiling: Ceiling): readonly KernelUnit[] {
  const prefix = fixedPrefix(grant.glob);
  if (matchesOnly(grant.glob, prefix)) {
    const allowed = ceilingAllows(ceiling, { kind: `file_${grant.right}`, path: prefix });
    return allowed === undefined
      ? [{ ...grant, path: prefix, shape: "path", exact: true, names: null }]
      : [];
  }
  const { allow, deny, never } = ceiling[grant.right];
  const { workspace } = ceiling;
  const roots = [
    ...allow.flatMap((root) => meet(root, grant.glob, prefix)),
    ...(workspace === null ? [] : meet(workspace, grant.glob, prefix)),
  ];
  return [...new Set(roots)]
    .filter((path) => {
      const tree = treeGlob(escapeGlob(path));
      if (workspace !== null && covers(workspace, tree)) return true;
      return ![...deny, ...never].some((place) => covers(place, tree));
    })
    .map((path) => {
      const exact = covers(grant.glob, treeGlob(escapeGlob(path)));
      return { ...grant, path, shape: "tree", exact, names: null };
    });
}

function matchesOnly(glob: string, path: string): boolean {
  return glob === escapeGlob(path);
}

/** The directory where a grant and an allowed root meet: the deeper of the two, where the kernel can tell them apart at all. */
function meet(root: string, glob: string, prefix: string): readonly string[] {
  if (!overlaps(root, glob)) return [];
  const place = fixedPrefix(root);
  const isPlainTree = root === treeGlob(escapeGlob(place));
  if (covers(root, treeGlob(escapeGlob(prefix)))) return [prefix];
  return isPlainTree && isWithin(place, prefix) ? [place] : [];
}

type FoundHole = Hole | { readonly path: undefined; readonly problem: string };

/**
 * What the ceiling denies within the tree of a unit. What may not be read is hidden from a write grant, too: so that a further grant
 * never hides what a narrower set of grants showed. The workspace is taken out of no tree of its own.
 */
function holesOf(unit: KernelUnit, ceiling: Ceiling): readonly FoundHole[] {
  if (unit.shape === "path") return [];
  const tree = treeGlob(escapeGlob(unit.path));
  if (ceiling.workspace !== null && covers(ceiling.workspace, tree)) return [];
  const { read, write } = ceiling;
  const hidden = new Set([...read.never, ...write.never, ...read.deny]);
  return [
    ...[...hidden].flatMap((place) => hole(place, tree, "hidden")),
    ...(unit.right === "write" ? write.deny : []).flatMap((place) =>
      hole(place, tree, "read_only"),
    ),
  ].filter(({ path }) => path === undefined || (path !== unit.path && isWithin(path, unit.path)));
}

function hole(place: string, tree: string, kind: Hole["kind"]): readonly FoundHole[] {
  if (!overlaps(place, tree)) return [];
  const path = fixedPrefix(place);
  if (place === treeGlob(escapeGlob(path))) return [{ path, kind }];
  const problem = `the kernel cannot keep ${place} (deny of policy.yaml) out of it; name it without a pattern, or grant less`;
  return [{ path: undefined, problem }];
}

/** True where `path` is `root` or lies below it. */
export function isWithin(path: string, root: string): boolean {
  return path === root || path.startsWith(root === "/" ? "/" : `${root}/`);
}
