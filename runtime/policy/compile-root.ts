import type { LandlockFsRight, RootEntry } from "../protocol/confinement.js";
import { isWithin } from "./path-grants.js";

/** One thing of the private root with the rights at and below it. No entry: a Landlock rule on what another piece brought in. */
export interface Piece {
  readonly path: string;
  readonly entry: RootEntry | null;
  readonly rights: readonly LandlockFsRight[];
}

/** An empty directory that hides what the host has there: full once the mount points below it are made. */
export function hiddenDir(path: string): RootEntry {
  return { type: "tmpfs", path, size_bytes: 4_096, inodes: 1, executable: false };
}

function isHiddenDir(entry: RootEntry): boolean {
  return entry.type === "tmpfs" && entry.inodes === 1;
}

/**
 * The entries of the private root, sorted by path, each path once. What a grant brings in wins over what is made up; what is within
 * a bound tree is not made up beside it; a bind within a tree of the same mode is left out.
 */
export function assembleRoot(system: readonly Piece[], grants: readonly Piece[]): RootEntry[] {
  const entries = new Map<string, RootEntry>();
  for (const { entry } of [...grants, ...system]) {
    if (entry === null) continue;
    const known = entries.get(entry.path);
    if (known === undefined || outranks(entry, known)) entries.set(entry.path, entry);
  }
  const all = [...entries.values()].sort(byPath);
  const kept = all.filter((entry) => isNeeded(entry, nearestBind(entries, entry.path)));
  return kept.map((entry) =>
    entry.type === "tmpfs" && isHiddenDir(entry) ? withRoomFor(entry, kept) : entry,
  );
}

/** Of two at one path: a program's own tree over a read-only grant of it; otherwise the first stands. */
function outranks(entry: RootEntry, known: RootEntry): boolean {
  return (
    entry.type === "bind" && entry.mode === "exec" && known.type === "bind" && known.mode === "ro"
  );
}

/** The nearest bind or empty directory above a path. */
function nearestBind(entries: ReadonlyMap<string, RootEntry>, path: string): RootEntry | undefined {
  for (let at = parentOf(path); at !== ""; at = parentOf(at)) {
    const entry = entries.get(at);
    if (entry !== undefined && entry.type !== "dir") return entry;
  }
  return undefined;
}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/"));
}

function isNeeded(entry: RootEntry, above: RootEntry | undefined): boolean {
  if (above === undefined || above.type === "tmpfs") return true;
  if (above.type === "protect") return entry.type !== "protect" && isOfTheHost(entry);
  if (above.type !== "bind") return false;
  return isOfTheHost(entry) && !(entry.type === "bind" && entry.mode === above.mode);
}

/** Binds and what lies over them need no place made for them inside a tree of the host; anything else would be made on the host. */
function isOfTheHost(entry: RootEntry): boolean {
  return entry.type === "bind" || entry.type === "protect" || isHiddenDir(entry);
}

/** Exactly as many inodes as the mount points below need, so that nothing can be made in it. */
function withRoomFor(
  hidden: Extract<RootEntry, { type: "tmpfs" }>,
  all: readonly RootEntry[],
): RootEntry {
  const inside = all.filter(({ path }) => path !== hidden.path && isWithin(path, hidden.path));
  const outermost = inside.filter(
    ({ path }) => !inside.some((other) => other.path !== path && isWithin(path, other.path)),
  );
  const made = new Set<string>();
  for (const { path } of outermost) {
    for (let at = path; at !== hidden.path; at = parentOf(at)) made.add(at);
  }
  return { ...hidden, inodes: 1 + made.size };
}

export function byPath(a: { readonly path: string }, b: { readonly path: string }): number {
  return a.path < b.path ? -1 : a.path > b.path ? 1 : 0;
}
