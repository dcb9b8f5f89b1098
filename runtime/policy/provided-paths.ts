import type { ObservedPath } from "../protocol/observation.js";
import { isWithin } from "./path-grants.js";
import { profileOf, programsFor } from "./program-profiles.js";

/** Where the daemon looks programs up; what is found there is named by its plain name. */
export const PROGRAM_DIRS = [
  "/usr/local/bin",
  "/usr/bin",
  "/bin",
  "/usr/local/sbin",
  "/usr/sbin",
  "/sbin",
];
const LIBRARY = /^\/(usr\/)?(local\/)?lib(32|64|x32)?\/(.*\/)?[^/]+\.so(\.[0-9.]+)?$/;
/** Locales, character sets and time zones: a sandbox has one of each, and programs do with that. */
const TREES = [
  "/usr/lib/locale",
  "/usr/share/locale",
  "/usr/share/i18n",
  "/usr/share/zoneinfo",
  "/etc/ssl/certs",
  "/usr/share/ca-certificates",
  ...["/usr/lib", "/usr/lib64", "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu"].map(
    (dir) => `${dir}/gconv`,
  ),
];
const FILES = new Set(
  [
    ..."ld.so.cache ld.so.preload ld.so.conf locale.alias localtime timezone passwd group nsswitch.conf".split(
      " ",
    ),
    ..."hosts host.conf gai.conf resolv.conf services protocols gitconfig ssl/openssl.cnf".split(
      " ",
    ),
  ].map((name) => `/etc/${name}`),
);
/** Read by nearly every program, granted to none, and not missed. */
const UNREACHABLE = ["/proc", "/sys", "/dev"];
/** Here looking without opening says nothing about a need. */
const SYSTEM = ["/usr", "/bin", "/sbin", "/lib", "/lib64", "/etc", "/run", "/var/run"];

/** The name that an `exec:` capability has for what was executed: plain where it lies with the host's programs. */
export function programName({ asked, path }: Pick<ObservedPath, "asked" | "path">): string {
  const named = asked ?? path;
  const slash = named.lastIndexOf("/");
  return PROGRAM_DIRS.includes(named.slice(0, slash)) ? named.slice(slash + 1) : named;
}

/** What the sandboxes of these programs hold without any grant. The programs are those that were executed. */
export function providedPaths(executed: readonly ObservedPath[]): {
  readonly isProvided: (path: string) => boolean;
  /** May such a program start what lies there, without an `exec:` of its own? */
  readonly isHelper: (path: string) => boolean;
} {
  const trees = executed.map(treesAround);
  const exec = trees.flatMap((one) => one.exec);
  const all = [...TREES, ...UNREACHABLE, ...exec, ...trees.flatMap((one) => one.read)];
  const isHelper = (path: string) => exec.some((tree) => isWithin(path, tree));
  return {
    isHelper,
    isProvided: (path) =>
      FILES.has(path) || LIBRARY.test(path) || all.some((tree) => isWithin(path, tree)),
  };
}

function treesAround(program: ObservedPath): { readonly read: string[]; readonly exec: string[] } {
  const segments = program.path.split("/");
  const prefix = segments.slice(0, -2).join("/");
  const expand = (tree: string) =>
    tree.replaceAll("{prefix}", prefix).replaceAll("{name}", segments.at(-1) ?? "");
  const profiles = programsFor(programName(program), []).map(profileOf);
  return {
    read: profiles.flatMap(({ trees }) => trees.map(expand)),
    exec: profiles.flatMap(({ exec_trees }) => exec_trees.map(expand)),
  };
}

export function isSystemPath(path: string): boolean {
  return SYSTEM.some((tree) => isWithin(path, tree));
}
