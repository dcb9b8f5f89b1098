import { isProtectedBelow } from "../policy/protected-paths.js";
import type {
  FactsWanted,
  HostFacts,
  PathFact,
  ProgramFacts,
  ScanFact,
} from "../protocol/compile.js";

/**
 * A host for the compiler that is no file system: below `/data` and `/out` there are, four levels deep, the directories `d`, `e` and
 * `.git` and the files `f` and `.env`. What a name begins with `n` is absent. Every program is installed.
 */
export const FAKE_ROOTS = ["/data", "/out"];
const DIRS = ["d", "e", ".git"];
const FILES = ["f", ".env"];

export interface FakePath {
  readonly path: string;
  readonly kind: "file" | "dir";
}

function below(dir: string, depth: number): readonly FakePath[] {
  if (depth === 0) return [];
  const dirs = DIRS.map((name) => `${dir}/${name}`);
  return [
    ...FILES.map((name) => ({ path: `${dir}/${name}`, kind: "file" as const })),
    ...dirs.flatMap((path) => [{ path, kind: "dir" as const }, ...below(path, depth - 1)]),
  ];
}

export const FAKE_PATHS: readonly FakePath[] = FAKE_ROOTS.flatMap((path) => [
  { path, kind: "dir" as const },
  ...below(path, 3),
]);
const KINDS = new Map(FAKE_PATHS.map(({ path, kind }) => [path, kind]));

function factAbout(path: string): PathFact {
  const kind =
    KINDS.get(path) ?? (path.startsWith("/usr/") || path === "/home/x" ? "file" : "absent");
  return {
    resolved: path,
    kind: path === "/home/x" ? "dir" : kind,
    nearest: kind === "absent" ? "/" : null,
  };
}

function scanOf(root: string): ScanFact {
  const found = FAKE_PATHS.filter(
    ({ path }) => path.startsWith(`${root}/`) && isProtectedBelow(root, path),
  ).map(({ path }) => path);
  return {
    protected: found,
    git_dirs: found
      .filter((path) => path.endsWith("/.git"))
      .map((path) => ({ path, internals: [`${path}/.env`] })),
    complete: true,
  };
}

function fakeProgram(name: string): ProgramFacts {
  return {
    name,
    found: `/usr/bin/${name}`,
    executable: `/usr/bin/${name}`,
    prefix_args: [],
    exec_files: [`/usr/bin/${name}`, "/usr/lib/ld.so"],
    read_files: ["/usr/lib/libc.so.6"],
    trees: [],
    exec_trees: [],
    links: [],
  };
}

/** The facts for a request, on a host with this Landlock ABI and these cgroup controllers. */
export function fakeFacts(
  wanted: FactsWanted,
  landlockAbi = 6,
  cgroup: HostFacts["cgroup"] = null,
): HostFacts {
  return {
    landlock_abi: landlockAbi,
    arch: "x86_64",
    cgroup,
    programs: new Map(wanted.programs.map(({ name }) => [name, fakeProgram(name)])),
    paths: new Map(wanted.paths.map((path) => [path, factAbout(path)])),
    scans: new Map(wanted.scan.map((root) => [root, scanOf(root)])),
    root_links: [
      { path: "/bin", target: "usr/bin" },
      { path: "/lib", target: "usr/lib" },
    ],
  };
}
