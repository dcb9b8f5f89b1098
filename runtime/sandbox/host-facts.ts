import { lstat } from "node:fs/promises";
import { dirname } from "node:path";
import type {
  FactsWanted,
  HostFacts,
  PathFact,
  ProgramFacts,
  ProgramWanted,
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
  const look = (wanted: ProgramWanted): Promise<Found> => {
    const known = programs.get(wanted.name);
    const now = performance.now();
    if (known !== undefined && now - known.at < options.rememberProgramsMs) return known.facts;
    const facts = readLibraryCache(options.arch).then((libraries) =>
      programFacts(wanted, { path: options.path, libraries }),
    );
    programs.set(wanted.name, { at: now, facts });
    return facts;
  };
  return {
    forget: () => programs.clear(),
    collect: async (wanted, signal) => {
      const found: ProgramFacts[] = [];
      for (const program of wanted.programs) {
        signal.throwIfAborted();
        const facts = await look(program);
        if (facts !== undefined) found.push(facts);
      }
      const paths = await Promise.all(
        wanted.paths.map(async (path) => [path, await pathFact(path)] as const),
      );
      const scans: [string, Awaited<ReturnType<typeof scanProtected>>][] = [];
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
  const { resolved } = await followLinks(path);
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
