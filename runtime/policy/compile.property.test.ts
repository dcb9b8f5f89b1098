import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Capability } from "../protocol/capability.js";
import type { Compiled, CompileRequest } from "../protocol/compile.js";
import { ConfinementPlan } from "../protocol/confinement.js";
import { PolicyFile } from "../protocol/policy-file.js";
import { programRequest } from "../test/compiled-launch.js";
import { FAKE_PATHS, fakeFacts } from "../test/fake-host.js";
import { planAllows } from "../test/plan-model.js";
import { type Ceiling, ceilingAllows, makeCeiling } from "./ceiling.js";
import { compile } from "./compile.js";
import { factsWanted } from "./facts-wanted.js";
import { matchGlob } from "./glob.js";
import { normaliseGlob } from "./glob-syntax.js";
import { fixedPrefix, isProtectedFrom } from "./protected-paths.js";

const segment = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom("d", "e", "f", ".git", ".env", "*") },
  { weight: 1, arbitrary: fc.constantFrom("**", "d*", "*.x", "n") },
);
const glob = fc
  .tuple(fc.constantFrom("/data", "/out"), fc.array(segment, { maxLength: 3 }))
  .map(([root, rest]) => normaliseGlob([root, ...rest].join("/")))
  .map((normal) => (normal.ok ? normal.glob : "/data"));
const pathCapability: fc.Arbitrary<Extract<Capability, { kind: "file_read" | "file_write" }>> =
  fc.record({
    kind: fc.constantFrom("file_read" as const, "file_write" as const),
    glob,
  });
const capabilities = fc.array(pathCapability, { maxLength: 5 });
const place = fc.constantFrom(
  "/data",
  "/data/d",
  "/data/d/e",
  "/data/f",
  "/data/e",
  "/out",
  "/out/d",
);
const ceilings = fc
  .record({
    read: fc.record({
      allow: fc.array(place, { minLength: 1, maxLength: 3 }),
      deny: fc.array(place, { maxLength: 1 }),
    }),
    write: fc.record({
      allow: fc.array(place, { minLength: 1, maxLength: 3 }),
      deny: fc.array(place, { maxLength: 1 }),
    }),
    never: fc.array(fc.constantFrom("/data/d", "/data/e/d", "/out/e"), { maxLength: 1 }),
    workspace: fc.constantFrom(null, "/data/d/e", "/out/e/d"),
  })
  .map(({ read, write, never, workspace }) =>
    makeCeiling(PolicyFile.parse({ read, write, exec: { allow: ["python3", "git", "make"] } }), {
      never,
      workspace,
    }),
  );
const requests: fc.Arbitrary<CompileRequest> = fc.constantFrom<CompileRequest>(
  { kind: "files", worker: "/usr/lib/aaos/aaos-files", cgroup_name: "x" },
  programRequest("python3", []),
  programRequest("git", ["status"]),
  programRequest("make", [], { cwd: "/data/d", home: "/home/x" }),
  programRequest("rg", ["x"], { purpose: { kind: "file_read" } }),
);
const RUNS = 150;
const EXEC: readonly Capability[] = ["python3", "git", "make"].map((program) => ({
  kind: "exec",
  program,
  subcommands: null,
}));

function compiled(
  request: CompileRequest,
  paths: readonly Capability[],
  ceiling: Ceiling,
): Compiled {
  const authority = { capabilities: [...paths, ...EXEC], ceiling };
  return compile(request, authority, fakeFacts(factsWanted(request, authority)));
}

const RIGHTS = ["read", "write"] as const;
type Right = (typeof RIGHTS)[number];
type PathCapability = Extract<Capability, { kind: "file_read" | "file_write" }>;

const isOf = (one: Capability, right: Right): one is PathCapability => one.kind === `file_${right}`;
const isWithin = (path: string, root: string) => path === root || path.startsWith(`${root}/`);
const isFilesWorker = (request: CompileRequest) => request.kind === "files";

/** What a token could at most mean for the kernel: the fixed part of its glob with all below; of a file that is replaced, its directory. */
function unitOf({ glob }: PathCapability, replaces: boolean): string {
  const prefix = fixedPrefix(glob);
  return replaces && glob === prefix ? prefix.slice(0, prefix.lastIndexOf("/")) : prefix;
}

/** Every access to a path of the host that the plan lets through. */
function* allowed(result: Compiled, kinds: readonly string[] = ["file", "dir"]) {
  if (!result.ok) return;
  for (const { path, kind } of FAKE_PATHS) {
    if (!kinds.includes(kind)) continue;
    for (const right of RIGHTS) if (planAllows(result.plan, path, right)) yield { path, right };
  }
}

/** Every access to a file of the host that a token grants and nothing keeps back. */
function* granted(paths: readonly PathCapability[], ceiling: Ceiling) {
  for (const { path, kind } of FAKE_PATHS) {
    for (const one of paths) {
      if (kind === "file" && isGiven(one, path, ceiling)) yield { path, right: rightOf(one) };
    }
  }
}

function rightOf(one: PathCapability): Right {
  return one.kind === "file_read" ? "read" : "write";
}

function isGiven(one: PathCapability, path: string, ceiling: Ceiling): boolean {
  const isAllowed = (right: Right) =>
    ceilingAllows(ceiling, { kind: `file_${right}`, path }) === undefined;
  if (!matchGlob(one.glob, path)) return false;
  if (one.kind === "file_read") return isAllowed("read");
  // What may be written and not read is hidden where the write grant is wider (read.deny).
  return !isProtectedFrom(one.glob, path) && isAllowed("write") && isAllowed("read");
}

describe("a plan", { timeout: 60_000 }, () => {
  it("never gives more than its tokens and the ceiling: no path of another, none denied, none that can never be granted", () => {
    fc.assert(
      fc.property(requests, capabilities, ceilings, (request, paths, ceiling) => {
        for (const { path, right } of allowed(compiled(request, paths, ceiling))) {
          const isCovered = paths.some(
            (one) => isOf(one, right) && isWithin(path, unitOf(one, isFilesWorker(request))),
          );
          expect([path, right, isCovered]).toEqual([path, right, true]);
          expect(ceilingAllows(ceiling, { kind: `file_${right}`, path })).toBeUndefined();
        }
      }),
      { numRuns: RUNS },
    );
  });

  it("gives exactly the tokens where the strength says so", () => {
    fc.assert(
      fc.property(requests, capabilities, ceilings, (request, paths, ceiling) => {
        const result = compiled(request, paths, ceiling);
        if (result.ok && result.kernel_strength.some(({ holds }) => holds === "tree")) return;
        for (const { path, right } of allowed(result, ["file"])) {
          const isGranted = paths.some((one) => isOf(one, right) && matchGlob(one.glob, path));
          expect([path, right, isGranted]).toEqual([path, right, true]);
        }
      }),
      { numRuns: RUNS },
    );
  });

  it("gives all that a token grants on a file that is there", () => {
    fc.assert(
      fc.property(capabilities, ceilings, (paths, ceiling) => {
        const result = compiled(programRequest("python3", []), paths, ceiling);
        if (!result.ok) return;
        for (const { path, right } of granted(paths, ceiling)) {
          const isAllowed = planAllows(result.plan, path, right);
          expect([path, right, isAllowed]).toEqual([path, right, true]);
        }
      }),
      { numRuns: RUNS },
    );
  });

  it("of fewer tokens never gives more", () => {
    fc.assert(
      fc.property(
        requests,
        capabilities,
        capabilities,
        ceilings,
        (request, some, more, ceiling) => {
          const wide = compiled(request, [...some, ...more], ceiling);
          if (!wide.ok) return;
          for (const { path, right } of allowed(compiled(request, some, ceiling))) {
            expect([path, right, planAllows(wide.plan, path, right)]).toEqual([path, right, true]);
          }
        },
      ),
      { numRuns: RUNS },
    );
  });

  it("is the same whatever the order of the tokens, and a valid plan", () => {
    const shuffled = capabilities.chain((paths) =>
      fc.tuple(
        fc.constant(paths),
        fc.shuffledSubarray(paths, { minLength: paths.length, maxLength: paths.length }),
      ),
    );
    fc.assert(
      fc.property(requests, shuffled, ceilings, (request, [paths, other], ceiling) => {
        const result = compiled(request, paths, ceiling);
        expect(compiled(request, other, ceiling)).toEqual(result);
        if (result.ok) expect(ConfinementPlan.parse(result.plan)).toEqual(result.plan);
      }),
      { numRuns: RUNS },
    );
  });

  it("lets nothing be both written and executed, but what a building program works on", () => {
    fc.assert(
      fc.property(requests, capabilities, ceilings, (request, paths, ceiling) => {
        const result = compiled(request, paths, ceiling);
        if (!result.ok) return;
        const executable = FAKE_PATHS.filter(({ path }) =>
          planAllows(result.plan, path, "execute"),
        );
        const builds = request.kind === "program" && request.program === "make";
        expect(executable.filter(({ path }) => !(builds && isWithin(path, "/data")))).toEqual([]);
      }),
      { numRuns: RUNS },
    );
  });

  it("leaves no protected file writable that no token names", () => {
    fc.assert(
      fc.property(requests, capabilities, ceilings, (request, paths, ceiling) => {
        if (request.kind === "program" && request.program === "git") return;
        const replaces = isFilesWorker(request);
        for (const { path, right } of allowed(compiled(request, paths, ceiling), ["file"])) {
          if (right === "read") continue;
          const isNamed = paths.some((one) => {
            if (!isOf(one, "write") || !isWithin(path, unitOf(one, replaces))) return false;
            return one.glob === path || !isProtectedFrom(`${unitOf(one, replaces)}/*`, path);
          });
          expect([path, isNamed]).toEqual([path, true]);
        }
      }),
      { numRuns: RUNS },
    );
  });
});
