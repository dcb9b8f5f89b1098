import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Access } from "../protocol/access.js";
import type { Capability } from "../protocol/capability.js";
import type { TokenId } from "../protocol/ids.js";
import type { Observation } from "../protocol/observation.js";
import { PolicyFile } from "../protocol/policy-file.js";
import { makeCeiling } from "./ceiling.js";
import { decide, type HeldToken } from "./decide.js";
import { formatCapability, parseGrant } from "./grammar.js";
import { propose } from "./propose.js";

const OPEN = makeCeiling(
  PolicyFile.parse({
    read: { allow: ["/"] },
    write: { allow: ["/"] },
    network: { allow: ["*", "127.0.0.1", "[::1]"] },
    exec: { allow: ["git", "cp", "sh", "make", "python3"] },
  }),
  { workspace: null, never: [] },
);
const HOME = "/home/op";

type Path = Extract<Observation, { kind: string; path: string; op: "read" | "write" | "look" }>;
const seen = (op: Path["op"], path: string, more: Partial<Path> = {}): Observation => ({
  call: "openat",
  pid: 1,
  kind: "file",
  ...more,
  op,
  path,
});
const exec = (path: string, ...args: string[]): Observation => ({
  op: "exec",
  call: "execve",
  pid: 1,
  kind: "file",
  path,
  argv: [path, ...args],
});
const connect = (host: string, port: number, protocol: "tcp" | "udp" = "tcp"): Observation => ({
  op: "connect",
  call: "connect",
  pid: 1,
  protocol,
  host,
  port,
});
const made = (path: string): Observation => seen("write", path, { kind: "absent" });

function proposed(observations: readonly Observation[], gone: readonly string[] = []) {
  const proposal = propose({ observations, gone: new Set(gone), home: HOME }, OPEN);
  return { notes: proposal.notes, capabilities: proposal.capabilities.map(formatCapability) };
}

describe("what is proposed", () => {
  it("one file read is that file; four of one directory are the directory", () => {
    const files = ["a", "b", "c", "d"].map((name) => seen("read", `/data/in/${name}`));
    expect(proposed(files.slice(0, 3)).capabilities).toEqual([
      "file_read: /data/in/a",
      "file_read: /data/in/b",
      "file_read: /data/in/c",
    ]);
    expect(proposed(files).capabilities).toEqual(["file_read: /data/in/*"]);
  });

  it("a directory that is listed is that listing; listed and read in, it is the directory, but never HOME, / or /tmp", () => {
    for (const [path, below] of [
      ["/data", "/data/*"],
      ["/tmp", undefined],
      [HOME, undefined],
      ["/", undefined],
    ] as const) {
      const listing = seen("read", path, { kind: "dir" });
      const file = `${path === "/" ? "" : path}/x`;
      expect(proposed([listing]).capabilities).toEqual([`file_read: ${path}`]);
      expect(proposed([listing, seen("read", file)]).capabilities).toEqual(
        below === undefined
          ? [`file_read: ${path}`, `file_read: ${file}`]
          : [`file_read: ${below}`],
      );
    }
  });

  it("a repository's own directory is read as a whole", () => {
    const files = [seen("read", "/r", { kind: "dir" }), seen("read", "/r/.git/HEAD")];
    expect(proposed(files).capabilities).toEqual(["file_read: /r", "file_read: /r/.git/*"]);
  });

  it("writing a file that stands is that file; making one needs the directory that stood before", () => {
    expect(proposed([seen("write", "/out/x")]).capabilities).toEqual(["file_write: /out/x"]);
    expect(proposed([made("/out/x")]).capabilities).toEqual(["file_write: /out/*"]);
    expect(
      proposed([made("/out/new"), made("/out/new/deep"), made("/out/new/deep/x")]).capabilities,
    ).toEqual(["file_write: /out/*"]);
    const { capabilities, notes } = proposed([made("/tmp/x")]);
    expect(capabilities).toEqual(["file_write: /tmp/x"]);
    expect(notes.join()).toContain("directory of its own");
  });

  it("removing, renaming and linking change the directory, and the kernel asks for reading it, too; making a folder does not", () => {
    for (const call of ["unlink", "renameat2", "rmdir", "linkat", "symlinkat"]) {
      expect(proposed([seen("write", "/out/x", { call })]).capabilities).toEqual([
        "file_read: /out/*",
        "file_write: /out/*",
      ]);
    }
    const folder = seen("write", "/out/x", { call: "mkdir", kind: "dir" });
    expect(proposed([folder]).capabilities).toEqual(["file_write: /out/*"]);
  });

  it("a temporary file that is gone needs nothing; one that stays does", () => {
    const file = [made("/tmp/t1/x"), seen("read", "/tmp/t1/x")];
    expect(proposed([made("/tmp/t1"), ...file], ["/tmp/t1", "/tmp/t1/x"]).capabilities).toEqual([]);
    expect(proposed([made("/tmp/t1"), ...file]).capabilities).not.toEqual([]);
  });

  it("what every sandbox has, what was absent, and the operator's own settings are left out", () => {
    const { capabilities, notes } = proposed([
      exec("/usr/bin/git", "status"),
      seen("read", "/usr/lib/x86_64-linux-gnu/libc.so.6"),
      seen("read", "/etc/ld.so.cache"),
      seen("read", "/usr/lib/git-core/git-status"),
      seen("read", "/proc/self/maps"),
      seen("write", "/dev/null", { kind: "other" }),
      seen("read", "/data/missing", { kind: "absent" }),
      seen("look", "/data", { kind: "dir" }),
      seen("read", `${HOME}/.gitconfig`),
    ]);
    expect(capabilities).toEqual(["exec: git status"]);
    expect(notes.join()).toContain(`${HOME}/.gitconfig`);
  });

  it("a protected name is proposed by name beside the directory around it", () => {
    const files = ["a", "b", "c", "d", ".env"].map((name) => seen("write", `/data/r/${name}`));
    expect(proposed(files).capabilities).toEqual([
      "file_write: /data/r/*",
      "file_write: /data/r/.env",
    ]);
  });

  it("what no policy can grant is told and not proposed", () => {
    const { capabilities, notes } = proposed([
      seen("read", "/run/agentd/agentd.sock"),
      seen("write", "/etc/motd"),
    ]);
    expect(capabilities).toEqual([]);
    expect(notes).toHaveLength(2);
  });

  it("a program that the first one starts is proposed, and told where the sandbox will not hold it", () => {
    const inPython = proposed([exec("/usr/bin/python3", "x.py"), exec("/usr/bin/jq", ".")]);
    expect(inPython.capabilities).toEqual(["exec: python3", "exec: jq"]);
    expect(inPython.notes.join()).toContain("python3 starts jq");
    const inMake = proposed([exec("/usr/bin/make"), exec("/usr/bin/git", "describe")]);
    expect(inMake.capabilities).toEqual(["exec: make", "exec: git"]);
    expect(inMake.notes.join()).not.toContain("starts");
  });

  it("connections are proposed with their port; names, UDP and sockets of the host are told", () => {
    const { capabilities, notes } = proposed([
      connect("10.1.2.3", 53, "udp"),
      connect("::ffff:93.184.216.34", 443),
      connect("93.184.216.34", 443, "udp"),
      connect("1.1.1.1", 123, "udp"),
      { op: "connect", call: "connect", pid: 1, protocol: "unix", path: "/run/x", kind: "other" },
    ]);
    expect(capabilities).toHaveLength(1);
    expect(capabilities[0]).toMatch(/^network: .*:443$/);
    expect(notes.join("\n")).toMatch(/resolved by the daemon[\s\S]*UDP to 1.1.1.1[\s\S]*\/run\/x/);
  });

  it("what policy.yaml keeps back is told", () => {
    const closed = makeCeiling(PolicyFile.parse({}), { workspace: null, never: [] });
    const run = { observations: [seen("read", "/home/op/x")], gone: new Set<string>(), home: HOME };
    expect(propose(run, closed).notes.join()).toContain("policy.yaml keeps back");
    expect(propose(run, OPEN).notes).toEqual([]);
  });
});

const segment = fc.constantFrom("a", "b", "c", "d", "e", "*", "x\\y", ".git", ".env");
const path = fc
  .array(segment, { minLength: 1, maxLength: 5 })
  .chain((parts) =>
    fc.constantFrom("/data", "/out", HOME, "/tmp", "").map((top) => `${top}/${parts.join("/")}`),
  );
const observation: fc.Arbitrary<Observation> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      op: fc.constantFrom("read" as const, "write" as const, "look" as const),
      call: fc.constantFrom("openat", "unlink", "mkdir", "rename"),
      pid: fc.constant(1),
      path,
      kind: fc.constantFrom("file" as const, "dir" as const, "other" as const, "absent" as const),
    }),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(
        fc.constantFrom("git", "cp", "sh", "make"),
        fc.array(fc.constantFrom("status", "-C", "x y", "log")),
      )
      .map(([name, args]) => exec(`/usr/bin/${name}`, ...args)),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(
        fc.constantFrom("127.0.0.1", "::1", "8.8.8.8", "2606:4700::1111"),
        fc.integer({ min: 1, max: 65_535 }),
      )
      .map(([host, port]) => connect(host, port)),
  },
);

function isGranted(access: Access, capabilities: readonly Capability[]): boolean {
  const held: HeldToken[] = capabilities.map((capability, i) => ({
    token: {
      id: `t${i}` as TokenId,
      agent_id: "a" as HeldToken["token"]["agent_id"],
      capability,
      parent_id: null,
      max_invocations: null,
      rate_limit: null,
      issued_at: 0,
      expires_at: null,
    },
    uses: [],
    revoked: false,
  }));
  return decide(access, held, OPEN, 0).ok;
}

describe("properties", () => {
  it("every access that is needed is granted by the proposal, which the grammar reads back", () => {
    fc.assert(
      fc.property(
        fc.array(observation, { maxLength: 40 }),
        fc.array(path),
        (observations, gone) => {
          const { accesses, capabilities } = propose(
            { observations, gone: new Set(gone), home: HOME },
            OPEN,
          );
          for (const access of accesses) {
            expect(isGranted(access, capabilities)).toBe(true);
          }
          for (const capability of capabilities) {
            expect(parseGrant(formatCapability(capability))).toEqual({
              ok: true,
              grant: { capability, constraints: {} },
            });
          }
        },
      ),
      { numRuns: 1_000 },
    );
  });

  it("each capability of the proposal is needed: without it something is not granted", () => {
    fc.assert(
      fc.property(fc.array(observation, { maxLength: 20 }), (observations) => {
        const run = { observations, gone: new Set<string>(), home: HOME };
        const { accesses, capabilities } = propose(run, OPEN);
        for (const left of capabilities) {
          // A protected name stands beside the tree that matches it, for the kernel's sake.
          if (left.kind === "file_write") continue;
          const rest = capabilities.filter((one) => one !== left);
          expect(accesses.every((access) => isGranted(access, rest))).toBe(false);
        }
      }),
      { numRuns: 500 },
    );
  });
});
