import { lstat, realpath } from "node:fs/promises";
import { dirname } from "node:path";
import type {
  FactsWanted,
  HostFacts,
  PathFact,
  ProgramFacts,
  ProgramWanted,
  ScanFact,
} from "../protocol/compile.js";
import { followLinks } from "./follow-links.js";
import { readLibraryCache } from "./library-cache.js";
import { programFacts } from "./program-facts.js";
import { type ScanRules, scanProtected } from "./scan-protected.js";

export interface HostOptions {
  /** What the launcher found at its start. */
  readonly landlockAbi: number;
  readonly arch: HostFacts["arch"];
  readonly cgroup: HostFacts["cgroup"];
  /** Directories where programs are looked up. */
  readonly path: readonly string[];
  readonly scan: ScanRules;
  /** How long what was found of a program is believed. What is no longer true fails the launch. */
  readonly rememberProgramsMs: number;
}

/** Looks up what `factsWanted` names, on this host, now. Nothing it meets is run or written. */
export interface HostInspector {
  readonly collect: (wanted: FactsWanted, signal: AbortSignal) => Promise<HostFacts>;
  /** Forgets what it remembers of programs: after a launch that failed in its root. */
  readonly forget: () => void;
}

const ROOT_DIRS = ["/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"];

export function createHostInspector(options: HostOptions): HostInspector {
  const programs = new Map<string, { readonly at: number; readonly facts: Promise<Found> }>();
  const lookUp = async (wanted: readonly ProgramWanted[]): Promise<readonly ProgramFacts[]> => {
    const now = performance.now();
    const isFresh = ({ name }: ProgramWanted) =>
      now - (programs.get(name)?.at ?? Number.NEGATIVE_INFINITY) < options.rememberProgramsMs;
    const stale = wanted.filter((program) => !isFresh(program));
    if (stale.length > 0) {
      const memory = { elf: new Map(), links: new Map() };
      const libraries = await readLibraryCache(options.arch);
      for (const program of stale) {
        const facts = programFacts(program, { path: options.path, libraries, memory });
        programs.set(program.name, { at: now, facts });
      }
    }
    const found = await Promise.all(
      wanted.map(({ name }) => programs.get(name)?.facts ?? Promise.resolve(undefined)),
    );
    return found.filter((facts) => facts !== undefined);
  };
  return {
    forget: () => programs.clear(),
    collect: async (wanted, signal) => {
      const found = await lookUp(wanted.programs);
      const paths = await Promise.all(
        wanted.paths.map(async (path) => [path, await pathFact(path)] as const),
      );
      const scans: [string, ScanFact][] = [];
      for (const root of wanted.scan) {
        signal.throwIfAborted();
        scans.push([root, await scanProtected(root, options.scan)]);
      }
      const links = await Promise.all(ROOT_DIRS.map((path) => followLinks(path)));
      return {
        landlock_abi: options.landlockAbi,
        arch: options.arch,
        cgroup: options.cgroup,
        programs: new Map(found.map((facts) => [facts.name, facts])),
        paths: new Map(paths),
        scans: new Map(scans),
        root_links: links.flatMap((one) => one.links),
      };
    },
  };
}

type Found = ProgramFacts | undefined;

async function pathFact(path: string): Promise<PathFact> {
  const real = await realpath(path).catch(() => undefined);
  const resolved = real ?? (await followLinks(path)).resolved;
  const stats = await lstat(resolved).catch(() => undefined);
  if (stats === undefined) {
    return { resolved, kind: "absent", nearest: await nearestDir(resolved) };
  }
  const kind = stats.isFile() ? "file" : stats.isDirectory() ? "dir" : "other";
  return { resolved, kind, nearest: null };
}

async function nearestDir(path: string): Promise<string> {
  for (let at = dirname(path); ; at = dirname(at)) {
    const stats = await lstat(at).catch(() => undefined);
    if (stats?.isDirectory() === true || at === "/") return at;
  }
}
