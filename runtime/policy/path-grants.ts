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
  if (request.kind === "web") return [];
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
        .filter((one) => one.kind === purpose.kind && coversDir(one.dir, purpose.dir))
        .slice(0, 1)
        .flatMap((one) => {
          const glob = treeGlob(escapeGlob(purpose.dir));
          const capability = formatCapability(one);
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
 * A hole by a pattern that the kernel cannot find is a problem, never overlooked.
 */
export function kernelUnits(grants: readonly PathGrant[], ceiling: Ceiling): Units {
  const units: KernelUnit[] = [];
  const holes = new Map<string, Hole>();
  const withheld: { capability: string; reason: string }[] = [];
  const problems: string[] = [];
  for (const grant of grants) {
    const cut = unitsOf(grant, ceiling);
    if (cut.length === 0) {
      const reason = "policy.yaml leaves nothing of it that the kernel could hold";
      withheld.push({ capability: grant.capability, reason });
    }
    for (const unit of cut) {
      if (unit.path === "/") {
        problems.push(
          `${grant.capability}: the whole file system cannot be granted; name its directories`,
        );
        continue;
      }
      units.push(unit);
      for (const hole of holesOf(unit, ceiling)) {
        if (hole.path === undefined) problems.push(`${grant.capability}: ${hole.problem}`);
        else if (hole.kind === "hidden" || !holes.has(hole.path)) holes.set(hole.path, hole);
      }
    }
  }
  return { units, holes: [...holes.values()], withheld, problems: [...new Set(problems)] };
}

function unitsOf(grant: PathGrant, ceiling: Ceiling): readonly KernelUnit[] {
  const prefix = fixedPrefix(grant.glob);
  if (matchesOnly(grant.glob, prefix)) {
    const allowed = ceilingAllows(ceiling, { kind: `file_${grant.right}`, path: prefix });
    return allowed === undefined ? [{ ...grant, path: prefix, shape: "path", exact: true }] : [];
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
      return { ...grant, path, shape: "tree", exact };
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

/** What the ceiling denies within the tree of a unit. The workspace is taken out of no tree of its own. */
function holesOf(unit: KernelUnit, ceiling: Ceiling): readonly FoundHole[] {
  if (unit.shape === "path") return [];
  const tree = treeGlob(escapeGlob(unit.path));
  if (ceiling.workspace !== null && covers(ceiling.workspace, tree)) return [];
  const { deny, never } = ceiling[unit.right];
  const kind = unit.right === "read" ? "hidden" : "read_only";
  return [
    ...never.flatMap((place) => hole(place, tree, "hidden", unit.right)),
    ...deny.flatMap((place) => hole(place, tree, kind, unit.right)),
  ];
}

function hole(
  place: string,
  tree: string,
  kind: Hole["kind"],
  right: PathRight,
): readonly FoundHole[] {
  if (!overlaps(place, tree)) return [];
  const path = fixedPrefix(place);
  if (place === treeGlob(escapeGlob(path))) return [{ path, kind }];
  const problem = `the kernel cannot keep ${place} (${right}.deny of policy.yaml) out of it; name it without a pattern, or grant less`;
  return [{ path: undefined, problem }];
}

/** True where `path` is `root` or lies below it. */
export function isWithin(path: string, root: string): boolean {
  return path === root || path.startsWith(root === "/" ? "/" : `${root}/`);
}

/** True where the path alone, absolute and without a link, is one that the grant gives. */
export function grantGives(grant: PathGrant, path: string): boolean {
  return matchGlob(grant.glob, path);
}
