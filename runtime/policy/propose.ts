import type { Access } from "../protocol/access.js";
import type { Capability, HostPattern } from "../protocol/capability.js";
import { type Ceiling, ceilingAllows } from "./ceiling.js";
import { exactCapability } from "./exact-capability.js";
import { covers } from "./glob.js";
import { escapeGlob, treeGlob } from "./glob-syntax.js";
import { formatCapability } from "./grammar.js";
import { learnedNeeds } from "./learned-needs.js";
import { isBroad, type LearnedRun, type PathNeed } from "./learned-paths.js";
import { namedSegments, protectedEntry } from "./protected-paths.js";

export interface Proposal {
  /** The smallest set that grants every access below, in a fixed order. */
  readonly capabilities: readonly Capability[];
  readonly accesses: readonly Access[];
  readonly notes: readonly string[];
}

/** From so many entries of one directory on, the directory itself is proposed. */
const SIBLINGS = 4;

/**
 * The capabilities to write into a role so that what a watched program did is allowed. A proposal for a person to read: it grants
 * what was seen once, and where it grants a directory, more than that. Pure; the order of observations does not matter to what is granted.
 */
export function propose(run: LearnedRun, ceiling: Ceiling): Proposal {
  const { paths, others, notes } = learnedNeeds(run, ceiling);
  const capabilities = [
    ...execCapabilities(others),
    ...pathCapabilities("file_read", paths, run.home),
    ...pathCapabilities("file_write", paths, run.home),
    ...networkCapability(others),
  ];
  const accesses = [...paths.map(({ access }) => access), ...others];
  return { capabilities, accesses, notes: [...notes, ...refusals(accesses, ceiling)] };
}

function execCapabilities(accesses: readonly Access[]): readonly Capability[] {
  const words = new Map<string, Set<string> | null>();
  for (const access of accesses) {
    if (access.kind !== "exec") continue;
    const exact = exactCapability(access);
    const before = words.get(access.program);
    if (exact.kind !== "exec" || exact.subcommands === null || before === null) {
      words.set(access.program, null);
    } else {
      words.set(access.program, new Set([...(before ?? []), ...exact.subcommands]));
    }
  }
  return [...words].map(([program, subcommands]) => ({
    kind: "exec",
    program,
    subcommands: subcommands === null ? null : [...subcommands].sort(),
  }));
}

function networkCapability(accesses: readonly Access[]): readonly Capability[] {
  const hosts = new Map<string, HostPattern>();
  for (const access of accesses) {
    if (access.kind !== "network") continue;
    hosts.set(`${access.host} ${access.port}`, { host: access.host, port: access.port });
  }
  const sorted = [...hosts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, host]) => host);
  return sorted.length === 0 ? [] : [{ kind: "network", hosts: sorted }];
}

function pathCapabilities(
  kind: "file_read" | "file_write",
  needs: readonly PathNeed[],
  home: string,
): readonly Capability[] {
  const own = needs.filter(({ access }) => access.kind === kind);
  const globs = new Set(own.flatMap(globsOf));
  foldSiblings(globs, home);
  return [...globs]
    .filter((glob) => ![...globs].some((other) => other !== glob && swallows(other, glob, kind)))
    .sort()
    .map((glob) => ({ kind, glob }));
}

/** The path or its tree; and each protected entry on the way to a written path, which a tree around it does not name. */
function globsOf({ access, tree }: PathNeed): readonly string[] {
  if (tree === null) return [escapeGlob(access.path)];
  const globs = [treeGlob(escapeGlob(tree))];
  const isWrite = access.kind === "file_write";
  for (let entry = isWrite ? tree : undefined; entry !== undefined; ) {
    const named = namedSegments(escapeGlob(entry));
    entry = protectedEntry(access.path, named);
    if (entry !== undefined) globs.push(treeGlob(escapeGlob(entry)));
  }
  return globs;
}

/** Many entries of one directory become that directory, from the deepest up; never one that is too much to grant. */
function foldSiblings(globs: Set<string>, home: string): void {
  for (;;) {
    const byParent = new Map<string, string[]>();
    for (const glob of globs) {
      const parent = parentTree(glob, home);
      if (parent !== undefined && !globs.has(parent)) {
        byParent.set(parent, [...(byParent.get(parent) ?? []), glob]);
      }
    }
    const full = [...byParent]
      .filter(([, children]) => children.length >= SIBLINGS)
      .sort(([a], [b]) => b.split("/").length - a.split("/").length || (a < b ? -1 : 1))[0];
    if (full === undefined) return;
    globs.add(full[0]);
    for (const child of full[1]) if (!turnsIntoExecution(full[0], child)) globs.delete(child);
  }
}

/** The tree around a glob's own directory or file; undefined where that is too much. */
function parentTree(glob: string, home: string): string | undefined {
  const path = glob.replace(/\/\*$/, "");
  const parent = path.slice(0, path.lastIndexOf("/"));
  return parent === "" || isBroad(parent, home) ? undefined : `${parent}/*`;
}

/** The wider one makes the other superfluous, unless that names what a write grant around it would keep read-only. */
function swallows(outer: string, inner: string, kind: "file_read" | "file_write"): boolean {
  return covers(outer, inner) && (kind === "file_read" || !turnsIntoExecution(outer, inner));
}

function turnsIntoExecution(outer: string, inner: string): boolean {
  const path = inner.replace(/\/\*$/, "").replace(/\\([*\\])/g, "$1");
  return protectedEntry(path, namedSegments(outer)) !== undefined;
}

/** What policy.yaml keeps back although it is proposed: the role alone will not do. */
function refusals(accesses: readonly Access[], ceiling: Ceiling): readonly string[] {
  const kept = accesses.filter((access) => ceilingAllows(ceiling, access) !== undefined);
  if (kept.length === 0) return [];
  const [first = "", ...more] = kept.map((access) => formatCapability(exactCapability(access)));
  const rest = more.length === 0 ? "" : ` and ${more.length} more`;
  return [`policy.yaml keeps back ${first}${rest}: widen it there, too`];
}
