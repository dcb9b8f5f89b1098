import { constants } from "node:fs";
import { access, opendir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { ScanFact } from "../protocol/compile.js";

export interface ScanRules {
  /** True for the path of an entry that is protected below the root of the scan. */
  readonly isProtected: (root: string, path: string) => boolean;
  /** Names below a repository's directory that are protected even from git. */
  readonly gitInternals: readonly string[];
  readonly maxEntries: number;
  readonly maxMs: number;
}

interface Scan {
  readonly root: string;
  readonly rules: ScanRules;
  readonly found: string[];
  readonly repositories: string[];
  readonly deadline: number;
  left: number;
}

/**
 * Searches a tree for protected entries; does not look into them, nor through links, nor twice. A directory that holds what a
 * repository holds (`HEAD`, `objects`, `refs`) is one, whatever its name. A directory that can be neither read nor written is as if
 * it were not there: the process that is started has no more rights than this one.
 */
export async function scanProtected(root: string, rules: ScanRules): Promise<ScanFact> {
  const scan: Scan = {
    root,
    rules,
    found: [],
    repositories: [],
    deadline: performance.now() + rules.maxMs,
    left: rules.maxEntries,
  };
  const complete = await scanDir(scan, root);
  const git_dirs = await Promise.all(
    scan.repositories.map(async (path) => ({ path, internals: await internalsOf(path, rules) })),
  );
  return { protected: scan.found.sort(), git_dirs, complete };
}

interface Listing {
  readonly below: readonly string[];
  readonly found: readonly string[];
  readonly isRepository: boolean;
}

/** False once a bound is reached. */
async function scanDir(scan: Scan, dir: string): Promise<boolean> {
  const listing = await listDir(scan, dir).catch(() => undefined);
  if (listing === null) return false;
  if (listing === undefined) return !(await isOpen(dir));
  if (dir !== scan.root && listing.isRepository) {
    scan.found.push(dir);
    scan.repositories.push(dir);
    return true;
  }
  scan.found.push(...listing.found);
  for (const path of listing.found) {
    if (path.endsWith("/.git") && (await isDirectory(path))) scan.repositories.push(path);
  }
  for (const path of listing.below) {
    if (!(await scanDir(scan, path))) return false;
  }
  return true;
}

/** Null once a bound is reached. */
async function listDir(scan: Scan, dir: string): Promise<Listing | null> {
  const below: string[] = [];
  const found: string[] = [];
  const names = new Set<string>();
  for await (const entry of await opendir(dir, { bufferSize: 256 })) {
    if (--scan.left < 0 || performance.now() > scan.deadline) return null;
    const path = join(dir, entry.name);
    names.add(entry.name);
    if (entry.isSymbolicLink()) continue;
    if (scan.rules.isProtected(scan.root, path)) found.push(path);
    else if (entry.isDirectory()) below.push(path);
  }
  return { below, found, isRepository: isRepository(names) };
}

/** A directory that cannot be read matters only where one could write into it all the same. */
function isOpen(dir: string): Promise<boolean> {
  return access(dir, constants.W_OK | constants.X_OK).then(
    () => true,
    () => false,
  );
}

function isRepository(names: ReadonlySet<string>): boolean {
  return names.has("HEAD") && names.has("objects") && names.has("refs");
}

async function internalsOf(repository: string, rules: ScanRules): Promise<readonly string[]> {
  const paths = rules.gitInternals.map((name) => join(repository, name));
  const there = await Promise.all(paths.map(exists));
  return paths.filter((_, i) => there[i] === true);
}

function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

function isDirectory(path: string): Promise<boolean> {
  return stat(path).then(
    (stats) => stats.isDirectory(),
    () => false,
  );
}
