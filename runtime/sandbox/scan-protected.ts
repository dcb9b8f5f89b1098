import { opendir, stat } from "node:fs/promises";
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
 * repository holds (`HEAD`, `objects`, `refs`) is one, whatever its name. What cannot be read is as if it were not there: the
 * process that is started has no more rights than this one.
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

/** False once a bound is reached. */
async function scanDir(scan: Scan, dir: string): Promise<boolean> {
  const below: string[] = [];
  const names = new Set<string>();
  const found: string[] = [];
  try {
    for await (const entry of await opendir(dir, { bufferSize: 256 })) {
      if (--scan.left < 0 || performance.now() > scan.deadline) return false;
      const path = join(dir, entry.name);
      names.add(entry.name);
      if (entry.isSymbolicLink()) continue;
      if (scan.rules.isProtected(scan.root, path)) found.push(path);
      else if (entry.isDirectory()) below.push(path);
    }
  } catch {
    return true;
  }
  if (dir !== scan.root && isRepository(names)) {
    scan.found.push(dir);
    scan.repositories.push(dir);
    return true;
  }
  scan.found.push(...found);
  for (const path of found) {
    if (path.endsWith("/.git") && (await isDirectory(path))) scan.repositories.push(path);
  }
  for (const path of below) {
    if (!(await scanDir(scan, path))) return false;
  }
  return true;
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
