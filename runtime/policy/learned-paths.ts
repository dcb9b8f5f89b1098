import type { AccessOf } from "../protocol/access.js";
import type { Observation, ObservedPath } from "../protocol/observation.js";
import { isSystemPath, providedPaths } from "./provided-paths.js";

/** One program, run once and watched. */
export interface LearnedRun {
  readonly observations: readonly Observation[];
  /** Written paths that are not there any more. */
  readonly gone: ReadonlySet<string>;
  /** HOME of the operator who ran it; a sandbox has one of its own, empty. */
  readonly home: string;
}

/** A path that must be granted; `tree` is the directory to grant where the path alone will not do. */
export interface PathNeed {
  readonly access: AccessOf<"file_read" | "file_write">;
  readonly tree: string | null;
}

const SCRATCH = ["/tmp", "/var/tmp", "/dev/shm"];
/** Too much to grant as a whole because of one entry in it. */
const BROAD = new Set(["/", "/home", "/root", "/etc", "/usr", "/var", "/opt", "/mnt", ...SCRATCH]);
/** The calls that change a directory, not what is in a file. */
const ENTRY_CALL = /^(unlink|rmdir|mkdir|mknod|rename|link|symlink)/;
/** Of those, the calls that the kernel refuses to a process that may not read there. */
const MOVING_CALL = /^(unlink|rmdir|rename|link|symlink)/;
/** git does without where locks are optional, which its profile says. */
const OPTIONAL_WRITE = /\/\.git\/index\.lock$/;

interface PathFindings {
  readonly needs: readonly PathNeed[];
  /** Settings and keys of the operator. */
  readonly leftInHome: readonly string[];
  /** Made or removed where the directory is too much to grant. */
  readonly tooBroad: readonly string[];
}

/** Which paths must be granted, each right once. */
export function pathNeeds(
  seen: readonly ObservedPath[],
  executed: readonly ObservedPath[],
  run: LearnedRun,
): PathFindings {
  const { isProvided } = providedPaths(executed);
  const made = madeByProgram(seen);
  const leftInHome = new Set<string>();
  const tooBroad = new Set<string>();
  const needs = new Map<string, PathNeed>();
  const wanted = seen.filter(({ path }) => !isProvided(path) && !isScratch(path, made, run));
  const readIn = new Set(
    wanted.flatMap((one) =>
      accessesOf(one).some(({ kind }) => kind === "file_read") ? [parentOf(one.path)] : [],
    ),
  );
  for (const one of wanted) {
    const accesses = accessesOf(one);
    if (accesses.length > 0 && isHidden(one.path, run.home)) {
      leftInHome.add(one.path);
      continue;
    }
    const around = treeAround(one, made, readIn);
    const tree = around === null || isBroad(around, run.home) ? null : around;
    if (around !== tree && one.op === "write") tooBroad.add(one.path);
    for (const access of accesses) {
      const key = `${access.kind} ${one.path}`;
      needs.set(key, { access, tree: tree ?? needs.get(key)?.tree ?? null });
    }
  }
  return { needs: [...needs.values()], leftInHome: [...leftInHome], tooBroad: [...tooBroad] };
}

/**
 * What the observation asks for; nothing where it found nothing, or where looking tells of no need. Who may write and not read makes
 * files and folders, and removes and moves none.
 */
function accessesOf({ op, path, kind, call }: ObservedPath): readonly PathNeed["access"][] {
  const read = { kind: "file_read", path } as const;
  switch (op) {
    case "write":
      if (OPTIONAL_WRITE.test(path)) return [];
      return [{ kind: "file_write", path }, ...(MOVING_CALL.test(call) ? [read] : [])];
    case "read":
      return kind === "absent" ? [] : [read];
    case "look":
      return kind !== "file" || isSystemPath(path) ? [] : [read];
    case "exec":
      return [];
  }
}

/** What was not there before the program wrote it. */
function madeByProgram(seen: readonly ObservedPath[]): ReadonlySet<string> {
  const first = new Map<string, ObservedPath>();
  for (const one of seen) if (!first.has(one.path)) first.set(one.path, one);
  const written = seen.filter(({ op }) => op === "write");
  return new Set(
    written.filter(({ path }) => first.get(path)?.kind === "absent").map(({ path }) => path),
  );
}

/** A temporary file, or what lies in a temporary directory: made and gone again, where a sandbox has room of its own for that. */
function isScratch(path: string, made: ReadonlySet<string>, run: LearnedRun): boolean {
  const top = ancestry(path).find((one) => made.has(one));
  return top !== undefined && run.gone.has(top) && SCRATCH.includes(parentOf(top));
}

function isHidden(path: string, home: string): boolean {
  return home !== "/" && path.startsWith(`${home}/.`);
}

/** Never proposed as a whole: `/`, a system's top directories, HOME and what is above it. */
export function isBroad(dir: string, home: string): boolean {
  return BROAD.has(dir) || home === dir || home.startsWith(`${dir}/`);
}

/**
 * The directory that must be granted: one that was listed and then read in, a whole `.git`, and for an entry that is made, removed or
 * renamed the nearest one that was there before, because the kernel grants what exists. Null where the path alone will do.
 */
function treeAround(
  { op, path, kind, call }: ObservedPath,
  made: ReadonlySet<string>,
  readIn: ReadonlySet<string>,
): string | null {
  const top = ancestry(path).find((one) => made.has(one));
  if (top !== undefined) return parentOf(top);
  const repository = ancestry(path).find((one) => one.endsWith("/.git"));
  if (repository !== undefined && repository !== path) return repository;
  if (op === "write" && ENTRY_CALL.test(call)) return parentOf(path);
  return op === "read" && kind === "dir" && readIn.has(path) ? path : null;
}

/** The path and the directories above it, the topmost first, without `/`. */
function ancestry(path: string): readonly string[] {
  const segments = path.split("/").slice(1);
  return segments.map((_, i) => `/${segments.slice(0, i + 1).join("/")}`);
}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/")) || "/";
}
