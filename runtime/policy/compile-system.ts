import type { HostFacts, ProgramFacts } from "../protocol/compile.js";
import type { LandlockFsRight, RootEntry } from "../protocol/confinement.js";
import type { Piece } from "./compile-root.js";

/** The only user there is inside; its files are the daemon's outside. */
export const INSIDE_ID = 1_000;
/** HOME of a process that was given none: empty, in memory, gone with it. Below `/run` nothing is ever granted. */
export const SCRATCH_HOME = "/run/home";

const EXECUTE: readonly LandlockFsRight[] = ["execute", "read_file"];
const EXECUTE_TREE: readonly LandlockFsRight[] = ["execute", "read_file", "read_dir"];
const READ_FILE: readonly LandlockFsRight[] = ["read_file"];
const READ_TREE: readonly LandlockFsRight[] = ["read_file", "read_dir"];
const ALL_OF_TREE: readonly LandlockFsRight[] = [
  "read_file",
  "read_dir",
  "write_file",
  "truncate",
  "make_reg",
  "make_dir",
  "make_sym",
  "remove_file",
  "remove_dir",
  "refer",
];

const MADE_UP: Readonly<Record<string, string>> = {
  "/etc/passwd": `agent:x:${INSIDE_ID}:${INSIDE_ID}:aaOS agent:${SCRATCH_HOME}:/bin/sh\n`,
  "/etc/group": `agent:x:${INSIDE_ID}:\n`,
  "/etc/hosts": "127.0.0.1 localhost\n",
  "/etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
};
const RESOLVER = { "/etc/resolv.conf": "nameserver 127.0.0.1\noptions timeout:2 attempts:2\n" };

/** Read-only where they exist: the loader's cache, the time zones, the one locale, OpenSSL's settings. None tells of the user. */
const SYSTEM_FILES = ["/etc/ld.so.cache", "/etc/ssl/openssl.cnf", "/usr/lib/ssl/openssl.cnf"];
const SYSTEM_TREES = ["/usr/share/zoneinfo", "/usr/lib/locale/C.utf8"];
const CA_BUNDLE = "/etc/ssl/certs/ca-certificates.crt";

/** What the fixed part wants to know of the host. */
export const SYSTEM_PATHS: readonly string[] = [...SYSTEM_FILES, ...SYSTEM_TREES, CA_BUNDLE];

/** Where the certificates stand that a client of the network checks against; undefined where the host has none. */
export function caBundle(facts: HostFacts): string | undefined {
  const fact = facts.paths.get(CA_BUNDLE);
  return fact?.kind === "file" ? fact.resolved : undefined;
}

/** The programs with their loaders, libraries and trees, and the links on the way to them. */
export function programPieces(
  programs: readonly ProgramFacts[],
  rootLinks: HostFacts["root_links"],
): readonly Piece[] {
  return [
    ...[...rootLinks, ...programs.flatMap(({ links }) => links)].map(({ path, target }) =>
      unruled({ type: "symlink", path, target }),
    ),
    ...programs.flatMap((program) => [
      ...program.exec_files.map((path) => bound(path, "exec", EXECUTE)),
      // A library is mapped executable, which a noexec mount refuses; Landlock still refuses to execute it.
      ...program.read_files.map((path) => bound(path, "exec", READ_FILE)),
      ...program.exec_trees.map((path) => bound(path, "exec", EXECUTE_TREE)),
      ...program.trees.map((path) => bound(path, "exec", READ_TREE)),
    ]),
  ];
}

/** What every program finds: users, names, times, certificates where it has the network, and empty places to work in. */
export function commonPieces(options: {
  readonly facts: HostFacts;
  readonly network: boolean;
  readonly proc: boolean;
  readonly scratch: readonly string[];
  readonly scratchBytes: number;
  readonly executable: boolean;
}): readonly Piece[] {
  const { facts, network } = options;
  const files = { ...MADE_UP, ...(network ? RESOLVER : {}) };
  const bundle = network ? caBundle(facts) : undefined;
  return [
    ...Object.entries(files).map(([path, content]) => ({
      path,
      entry: { type: "file", path, content } as const,
      rights: READ_FILE,
    })),
    ...plainly(SYSTEM_FILES, "file", facts).map((path) => bound(path, "ro", READ_FILE)),
    ...plainly(SYSTEM_TREES, "dir", facts).map((path) => bound(path, "ro", READ_TREE)),
    ...(bundle === undefined ? [] : [bound(bundle, "ro", READ_FILE)]),
    ...(bundle === undefined || bundle === CA_BUNDLE
      ? []
      : [unruled({ type: "symlink", path: CA_BUNDLE, target: bundle })]),
    { path: "/dev", entry: null, rights: ["read_file", "write_file"] },
    ...(options.proc ? [{ path: "/proc", entry: null, rights: READ_TREE }] : []),
    ...options.scratch.map((path) => scratchDir(path, options.scratchBytes, options.executable)),
  ];
}

function scratchDir(path: string, sizeBytes: number, executable: boolean): Piece {
  const inodes = Math.max(1_024, Math.floor(sizeBytes / 8_192));
  return {
    path,
    entry: { type: "tmpfs", path, size_bytes: sizeBytes, inodes, executable },
    rights: executable ? ["execute", ...ALL_OF_TREE] : ALL_OF_TREE,
  };
}

/** HOME of this agent's programs: wholly its own. */
export function homePiece(path: string, executable: boolean): Piece {
  return {
    path,
    entry: { type: "bind", path, mode: executable ? "rwx" : "rw" },
    rights: executable ? ["execute", ...ALL_OF_TREE] : ALL_OF_TREE,
  };
}

export function bound(
  path: string,
  mode: "ro" | "exec",
  rights: readonly LandlockFsRight[],
): Piece {
  return { path, entry: { type: "bind", path, mode }, rights };
}

function unruled(entry: RootEntry): Piece {
  return { path: entry.path, entry, rights: [] };
}

/** Those that stand at their own path. */
function plainly(
  paths: readonly string[],
  kind: "file" | "dir",
  facts: HostFacts,
): readonly string[] {
  return paths.filter((path) => {
    const fact = facts.paths.get(path);
    return fact?.kind === kind && fact.resolved === path;
  });
}
