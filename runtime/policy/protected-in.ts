import { AgentdError } from "../protocol/agentd-error.js";
import type { HostFacts, ScanFact } from "../protocol/compile.js";
import { splitPath } from "./glob-syntax.js";
import { isWithin } from "./path-grants.js";
import { protectedEntry } from "./protected-paths.js";

/** More mounts than this make a launch slow and its plan too large for the launcher. */
const MAX_PROTECTED = 600;

export interface ProtectedIn {
  /** Sorted. One within another counts where a grant between them opens it again. */
  readonly paths: readonly string[];
  readonly problems: readonly string[];
  readonly notes: readonly string[];
}

/**
 * The entries to be read-only within these write grants, from what the scans found: those that no grant names, neither
 * the deepest directory around them nor one of `files`. A repository is read-only as a whole, or, for a program that commits, in its dangerous parts.
 */
export function protectedIn(
  trees: readonly string[],
  files: readonly string[],
  scans: HostFacts["scans"],
  options: {
    readonly writesGit: boolean;
    readonly home: string | null;
    readonly needsWholeScan: boolean;
  },
): ProtectedIn {
  const problems: string[] = [];
  const notes: string[] = [];
  const found = new Set<string>();
  for (const tree of trees) {
    const scan = scans.get(tree);
    if (scan === undefined) throw new AgentdError("internal", "compile", `no scan of ${tree}`);
    const text = `${tree} holds more than could be searched for files that must not be changed`;
    if (!scan.complete) {
      if (options.needsWholeScan) problems.push(`${text}; grant a smaller directory`);
      else notes.push(`${text}; the check above holds those that were not found`);
    }
    for (const path of scan.protected) {
      for (const each of partsOf(path, scan, options.writesGit)) found.add(each);
    }
  }
  const kept = [...found]
    .filter((path) => !(options.writesGit && isWithinRepository(path, trees, scans)))
    .filter((path) => !files.includes(path) && !isNamed(path, trees) && !isOwn(path, options.home))
    .sort();
  if (kept.length > MAX_PROTECTED) {
    problems.push(
      `${kept.length} files and directories in ${trees.join(", ")} must not be changed, more than ${MAX_PROTECTED}; grant a smaller directory`,
    );
  }
  return { paths: kept, problems, notes };
}

/** Git's own files have names of git's choosing: in a repository only its dangerous parts count. */
function isWithinRepository(
  path: string,
  trees: readonly string[],
  scans: HostFacts["scans"],
): boolean {
  const repositories = trees.flatMap((tree) => scans.get(tree)?.git_dirs ?? []);
  const around = repositories.filter((one) => one.path !== path && isWithin(path, one.path));
  return around.length > 0 && !around.some((one) => one.internals.includes(path));
}

function partsOf(path: string, { git_dirs }: ScanFact, writesGit: boolean): readonly string[] {
  const repository = writesGit ? git_dirs.find((one) => one.path === path) : undefined;
  return repository?.internals ?? [path];
}

function isOwn(path: string, home: string | null): boolean {
  return home !== null && isWithin(path, home);
}

/** True where the deepest write grant around the path spells out what would protect it. */
function isNamed(path: string, trees: readonly string[]): boolean {
  const around = trees.filter((tree) => isWithin(path, tree));
  const deepest = around.reduce((best, tree) => (tree.length > best.length ? tree : best), "");
  if (deepest === path) return true;
  const isByName = protectedEntry(path) !== undefined;
  return isByName && protectedEntry(path, splitPath(deepest)?.length ?? 0) === undefined;
}
