import { AgentdError } from "../protocol/agentd-error.js";
import type { HostFacts, PathFact } from "../protocol/compile.js";
import type { LandlockFsRight, MountMode } from "../protocol/confinement.js";
import type { TreeUse } from "./compile-landlock.js";
import { byPath, hiddenDir, type Piece } from "./compile-root.js";
import { matchGlob } from "./glob.js";
import { type Hole, isWithin, type KernelUnit } from "./path-grants.js";
import { protectedIn } from "./protected-in.js";

/** How a unit stands on this host. `link`: a symbolic link stands on the way, and grants are judged by resolved paths. */
export type Standing = "dir" | "file" | "absent" | "link" | "other";

export interface GrantOptions {
  readonly rights: (use: TreeUse) => readonly LandlockFsRight[];
  /** Write grants that hold this path are executable; null for none. */
  readonly buildDir: string | null;
  /** Of a repository only its dangerous parts are read-only. */
  readonly writesGit: boolean;
  /** HOME, where start-up files are the process's own. */
  readonly home: string | null;
  /** A scan that reached its bounds refuses the launch. */
  readonly needsWholeScan: boolean;
}

export interface GrantPieces {
  readonly pieces: readonly Piece[];
  readonly standing: ReadonlyMap<KernelUnit, Standing>;
  readonly problems: readonly string[];
  readonly notes: readonly string[];
}

/** How a place is mounted. */
type Mounted = "ro" | "rw" | "rwx" | "hidden";

/** Write grants on directories that are there: what must be scanned for protected entries, outermost and nested ones alike. */
export function writeTrees(
  units: readonly KernelUnit[],
  standing: ReadonlyMap<KernelUnit, Standing>,
): readonly string[] {
  const trees = units
    .filter(
      (unit) => unit.right === "write" && unit.shape === "tree" && standing.get(unit) === "dir",
    )
    .map(({ path }) => path);
  return [...new Set(trees)].sort();
}

/** Single files that a write grant spells out. A directory spelled out is not what is in it. */
function writtenFiles(units: readonly KernelUnit[], paths: HostFacts["paths"]): readonly string[] {
  return units
    .filter(({ right, glob, path, names }) => right === "write" && matchGlob(glob, names ?? path))
    .map(({ path, names }) => names ?? path)
    .filter((path) => factOf(paths, path).kind === "file");
}

export function standingOf(
  units: readonly KernelUnit[],
  paths: HostFacts["paths"],
): ReadonlyMap<KernelUnit, Standing> {
  return new Map(
    units.map((unit) => {
      const { resolved, kind } = factOf(paths, unit.path);
      if (resolved !== unit.path) return [unit, "link"];
      // A tree that turns out to be a file: it has nothing below it, and is itself what was meant or is not.
      const isMeant = unit.names === null && matchGlob(unit.glob, unit.path);
      return [unit, unit.shape === "tree" && kind === "file" && !isMeant ? "other" : kind];
    }),
  );
}

/** A path that was not looked at is a mistake of ours, never an absent one. */
export function factOf(paths: HostFacts["paths"], path: string): PathFact {
  const fact = paths.get(path);
  if (fact === undefined) throw new AgentdError("internal", "compile", `no fact of ${path}`);
  return fact;
}

/**
 * The granted trees and files at their own paths, what the ceiling takes out of them, and what is protected in them. Grants that
 * overlap come out as their union: the deeper mount only ever adds a right, except where a hole or a protected entry lies.
 */
export function compileGrants(
  units: readonly KernelUnit[],
  holes: readonly Hole[],
  facts: HostFacts,
  options: GrantOptions,
): GrantPieces {
  const standing = standingOf(units, facts.paths);
  const present = units.filter((unit) => ["dir", "file"].includes(standing.get(unit) ?? ""));
  const builder = new Builder(present, standing, options);
  const found = protectedIn(
    writeTrees(units, standing),
    writtenFiles(units, facts.paths),
    facts.scans,
    options,
  );
  const places = [
    ...holes.map((hole) => ({ path: hole.path, add: () => builder.addHole(hole, facts.paths) })),
    ...found.paths.map((path) => ({ path, add: () => builder.addProtected(path) })),
    ...present.map(({ path }) => ({ path, add: () => builder.addGrant(path) })),
  ];
  // Parents come before what is below them; at one path a hole comes before a grant.
  for (const { add } of places.sort(byPath)) add();
  return {
    pieces: builder.pieces,
    standing,
    problems: [...found.problems, ...builder.problems],
    notes: found.notes,
  };
}

class Builder {
  readonly pieces: Piece[] = [];
  readonly problems: string[] = [];
  readonly #present: readonly KernelUnit[];
  readonly #trees: readonly KernelUnit[];
  readonly #files: readonly KernelUnit[];
  readonly #options: GrantOptions;
  readonly #mounted = new Map<string, Mounted>();
  readonly #readOnly: string[] = [];

  constructor(
    present: readonly KernelUnit[],
    standing: ReadonlyMap<KernelUnit, Standing>,
    options: GrantOptions,
  ) {
    this.#present = present;
    this.#files = present.filter((unit) => standing.get(unit) === "file");
    this.#trees = present.filter((unit) => unit.shape === "tree" && standing.get(unit) === "dir");
    this.#options = options;
  }

  addHole(hole: Hole, paths: HostFacts["paths"]): void {
    const { resolved, kind } = factOf(paths, hole.path);
    const around = this.#mountedAt(hole.path);
    if (resolved !== hole.path || kind === "absent" || around === undefined) return;
    if (hole.kind === "read_only") {
      this.addProtected(hole.path);
    } else if (around !== "hidden") {
      if (kind !== "dir") {
        const problem = `${hole.path} lies in a granted directory and the kernel can hide directories only; grant around it`;
        this.problems.push(problem);
      }
      this.#mounted.set(hole.path, "hidden");
      this.pieces.push({ path: hole.path, entry: hiddenDir(hole.path), rights: [] });
    }
  }

  addProtected(path: string): void {
    const around = this.#mountedAt(path);
    if (around !== "rw" && around !== "rwx") return;
    this.#readOnly.push(path);
    this.#mounted.set(path, "ro");
    this.pieces.push({ path, entry: { type: "protect", path }, rights: [] });
  }

  addGrant(path: string): void {
    if (this.pieces.some((piece) => piece.path === path && piece.rights.length > 0)) return;
    const isTree = this.#trees.some((unit) => unit.path === path);
    const { read, write } = this.#useAt(path);
    const execute = write && isTree && this.#isBuildDir(path);
    const mounted = write ? (execute ? "rwx" : "rw") : "ro";
    const around = this.#mountedAt(path);
    const stands = isTree
      ? around === mounted
      : around !== undefined && around !== "hidden" && (!write || around !== "ro");
    const mode: MountMode = mounted === "rw" && !read ? "write" : mounted;
    this.pieces.push({
      path,
      entry: stands ? null : { type: "bind", path, mode },
      rights: isTree
        ? this.#options.rights({ read, write, execute })
        : this.#rightsAtPath(path, read, write),
    });
    if (!stands) this.#mounted.set(path, mounted);
  }

  /** Of one path: a file's content, or a directory's listing; a directory alone cannot be written. */
  #rightsAtPath(path: string, read: boolean, write: boolean): readonly LandlockFsRight[] {
    if (!this.#files.some((unit) => unit.path === path)) {
      const isListed = this.#present.some((unit) => unit.path === path && unit.right === "read");
      return isListed ? ["read_dir"] : [];
    }
    return [
      ...(read ? (["read_file"] as const) : []),
      ...(write ? (["write_file", "truncate"] as const) : []),
    ];
  }

  #isBuildDir(path: string): boolean {
    const { buildDir } = this.#options;
    const around = this.#trees.filter(
      (unit) => unit.right === "write" && buildDir !== null && isWithin(buildDir, unit.path),
    );
    return around.some((unit) => isWithin(path, unit.path));
  }

  /** What the grants together give at a path. Within what is read-only, a grant of writing counts that is itself within. */
  #useAt(path: string): { readonly read: boolean; readonly write: boolean } {
    const around = this.#readOnly.filter((place) => isWithin(path, place));
    const write = this.#giving("write", path).some((unit) =>
      around.every((place) => isWithin(unit.path, place)),
    );
    return { read: this.#giving("read", path).length > 0, write };
  }

  #giving(right: KernelUnit["right"], path: string): readonly KernelUnit[] {
    return [
      ...this.#files.filter((unit) => unit.right === right && unit.path === path),
      ...this.#trees.filter((unit) => unit.right === right && isWithin(path, unit.path)),
    ];
  }

  /** How the nearest mount at or above a path is mounted; undefined outside all of them. */
  #mountedAt(path: string): Mounted | undefined {
    for (let at = path; at !== ""; at = at.slice(0, at.lastIndexOf("/"))) {
      const mounted = this.#mounted.get(at);
      if (mounted !== undefined) return mounted;
    }
    return undefined;
  }
}
