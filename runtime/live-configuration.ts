import {
  type Configuration,
  type ConfigurationSources,
  loadCatalog,
  readConfiguration,
  readPolicyFile,
  readProvidersFile,
  secretsOf,
} from "./configuration.js";
import { AgentdError } from "./protocol/agentd-error.js";

/** The operator's files, as they were read last. */
export interface LiveConfiguration {
  /** Its parts are read anew at each access: keep the whole, not a part of it. */
  readonly config: Configuration;
  /**
   * Reads policy.yaml, providers.yaml, the catalog and the keys again; agentd.yaml and mcp-servers.yaml are read at the start alone. A file that is broken
   * keeps what it said before. Returns what is wrong with each.
   */
  readonly reload: () => readonly AgentdError[];
}

/** Throws as `readConfiguration` does: a daemon does not start on a broken file. */
export function openLiveConfiguration(sources: ConfigurationSources): LiveConfiguration {
  let current = readConfiguration(sources);
  const config: Configuration = {
    get places() {
      return current.places;
    },
    get settings() {
      return current.settings;
    },
    get policy() {
      return current.policy;
    },
    get providersFile() {
      return current.providersFile;
    },
    get mcp() {
      return current.mcp;
    },
    get catalog() {
      return current.catalog;
    },
    credential: (name) => current.credential(name),
    get secrets() {
      return current.secrets;
    },
  };
  return {
    config,
    reload: () => {
      const problems: AgentdError[] = [];
      const before = current;
      const readOr = <T>(read: () => T, old: T): T => {
        try {
          return read();
        } catch (thrown) {
          if (!(thrown instanceof AgentdError)) throw thrown;
          problems.push(thrown);
          return old;
        }
      };
      const { places } = before;
      const providersFile = readOr(() => readProvidersFile(places), { ...before.providersFile });
      current = {
        ...before,
        policy: readOr(() => readPolicyFile(places), before.policy),
        providersFile,
        catalog: keepingBroken(before.catalog, loadCatalog(places)),
        // What was a secret stays one for the trail's redactor.
        secrets: [
          ...new Set([
            ...before.secrets,
            ...secretsOf(providersFile, before.mcp, before.credential),
          ]),
        ],
      };
      return problems;
    },
  };
}

type Catalog = Configuration["catalog"];

/** The new catalog; where a file is broken now, what it held before stays. The problem is told as ever. */
function keepingBroken(before: Catalog, now: Catalog): Catalog {
  const broken = new Set(now.problems.map(({ file }) => file));
  return {
    ...now,
    roles: kept(before.roles, now.roles, broken),
    manifests: kept(before.manifests, now.manifests, broken),
    skills: keptSkills(before.skills, now.skills, broken),
  };
}

function keptSkills(
  before: Catalog["skills"],
  now: Catalog["skills"],
  broken: ReadonlySet<string>,
): Catalog["skills"] {
  const stay = [...before].filter(
    ([name, { dir }]) => broken.has(`${dir}/SKILL.md`) && !now.has(name),
  );
  return stay.length === 0 ? now : new Map([...now, ...stay]);
}

function kept<T extends { readonly file: string }>(
  before: ReadonlyMap<string, T>,
  now: ReadonlyMap<string, T>,
  broken: ReadonlySet<string>,
): ReadonlyMap<string, T> {
  const stay = [...before].filter(([name, { file }]) => broken.has(file) && !now.has(name));
  return stay.length === 0 ? now : new Map([...now, ...stay]);
}

/** A value made of another one, made anew when that one has become another. */
export function derived<S, T>(source: () => S, make: (source: S) => T): () => T {
  let last: { readonly source: S; readonly made: T } | undefined;
  return () => {
    const now = source();
    if (last === undefined || last.source !== now) last = { source: now, made: make(now) };
    return last.made;
  };
}
