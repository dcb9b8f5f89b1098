import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import type { CompileRequest } from "../protocol/compile.js";
import { encodePlan, MAX_PLAN_BYTES } from "../protocol/confinement-wire.js";
import { authorityOf, programRequest } from "../test/compiled-launch.js";
import { fakeFacts } from "../test/fake-host.js";
import { compile } from "./compile.js";
import { explainPlan } from "./explain-plan.js";
import { factsWanted } from "./facts-wanted.js";

const AUTHORITY = authorityOf(
  [
    "file_read: /data/*",
    "file_write: /data/d/*",
    "file_write: /out/*",
    "file_read: /out/d/*.md",
    "file_write: /out/e/f",
    "exec: python3",
    "exec: git status|log",
    "exec: make",
    "network: example.com",
    "git_commit: /data/d/e",
  ],
  {
    read: { allow: ["/data", "/out"], deny: ["/data/e/d"] },
    write: { allow: ["/data", "/out"], deny: ["/data/d/d"] },
  },
);

const REQUESTS: Readonly<Record<string, CompileRequest>> = {
  files: { kind: "files", worker: "/usr/lib/aaos/aaos-files", cgroup_name: "files-1" },
  search: programRequest("rg", ["x", "/data"], { purpose: { kind: "file_read" } }),
  python: programRequest("python3", ["-c", "0"], { cwd: "/data/d", home: "/home/x" }),
  commit: programRequest("git", ["status"], {
    purpose: { kind: "git_commit", dir: "/data/d/e" },
    cwd: "/data/d/e",
  }),
  build: programRequest("make", ["all"], { cwd: "/data/d", network: true }),
  web: {
    kind: "web",
    script: "/usr/lib/aaos/dist/web-worker.js",
    args: [],
    trees: ["/usr/lib/aaos/dist"],
    cgroup_name: "web-1",
  },
};
const CGROUP = {
  parent: "/sys/fs/cgroup/aaos/agents",
  controllers: ["memory", "pids"] as const,
};

const compiledFor = (name: string, abi: number) => {
  const request = REQUESTS[name];
  if (request === undefined) throw new Error(name);
  return compile(request, AUTHORITY, fakeFacts(factsWanted(request, AUTHORITY), abi, CGROUP));
};

/** The plan as the launcher reads it, without the table of system calls, which is golden by itself in `syscalls/`. */
function written(name: string, abi: number): string {
  const compiled = compiledFor(name, abi);
  if (!compiled.ok) return `${JSON.stringify(compiled)}\n`;
  const text = encodePlan(compiled.plan);
  expect(text.length).toBeLessThan(MAX_PLAN_BYTES);
  return text.replace(/^syscall .*\n/gm, "");
}

const golden = (name: string) =>
  fileURLToPath(new URL(`../../runtime/policy/golden/${name}.txt`, import.meta.url));

describe("the plan of each kind of process is the one that was reviewed", () => {
  const cases = Object.keys(REQUESTS).flatMap((name) =>
    [4, 6, 7].map((abi) => [name, abi] as const),
  );
  it.each(cases)("%s on Landlock ABI %i", async (name, abi) => {
    await expect(written(name, abi)).toMatchFileSnapshot(golden(`${name}-abi${abi}`));
  });

  it("the explanations, too", async () => {
    const lines = Object.keys(REQUESTS).flatMap((name) => {
      const compiled = compiledFor(name, 6);
      if (!compiled.ok) return [`${name}: ${JSON.stringify(compiled)}`];
      return [`# ${name}`, ...explainPlan(compiled), ""];
    });
    await expect(`${lines.join("\n")}\n`).toMatchFileSnapshot(golden("explained"));
  });
});

describe("Landlock's ABI", () => {
  it("below 4 runs nothing", () => {
    const problem = "Landlock ABI 3 is too old: 4 (Linux 6.7) or newer is needed";
    expect(compiledFor("files", 3)).toEqual({ ok: false, problem });
  });

  it("asks for no right that the ABI does not know, and newer ABIs only add", () => {
    const handled = (abi: number) => {
      const compiled = compiledFor("python", abi);
      if (!compiled.ok) throw new Error(`ABI ${abi}`);
      const { handled_fs, handled_net, scopes, fs_rules } = compiled.plan.landlock;
      for (const { rights } of fs_rules)
        expect(rights.every((right) => handled_fs.includes(right))).toBe(true);
      return [handled_fs.length, handled_net.length, scopes.length];
    };
    expect([4, 5, 6, 7, 8, 9, 40].map(handled)).toEqual([
      [15, 2, 0],
      [16, 2, 0],
      [16, 2, 2],
      [16, 2, 2],
      [16, 2, 2],
      [17, 2, 2],
      [17, 2, 2],
    ]);
  });
});

describe("a plan is refused", () => {
  it("for a program that no token names, with the token that would", () => {
    const request = programRequest("jq", []);
    const result = compile(request, AUTHORITY, fakeFacts(factsWanted(request, AUTHORITY)));
    expect(result).toMatchObject({ ok: false, denial: { layer: "token", capability: "exec: jq" } });
  });

  it("for a subcommand that no token names", () => {
    const request = programRequest("git", ["push"]);
    const result = compile(request, AUTHORITY, fakeFacts(factsWanted(request, AUTHORITY)));
    expect(result).toMatchObject({ ok: false, denial: { layer: "token" } });
  });

  it("for a working directory outside every grant", () => {
    const request = programRequest("python3", [], { cwd: "/elsewhere" });
    const result = compile(request, AUTHORITY, fakeFacts(factsWanted(request, AUTHORITY)));
    expect(result).toMatchObject({ ok: false, denial: { capability: "file_read: /elsewhere/*" } });
  });

  it("for the web without a token of the network", () => {
    const authority = authorityOf(["file_read: /data/*"]);
    const request = REQUESTS["web"];
    if (request === undefined) throw new Error("no request");
    const result = compile(request, authority, fakeFacts(factsWanted(request, authority)));
    expect(result).toMatchObject({ ok: false, denial: { layer: "token" } });
  });

  it.each([
    [{ read: { allow: ["/"] } }, "file_read: /*", "root directory"],
    [{ read: { allow: ["/dev"] } }, "file_read: /dev/*", "belongs to the sandbox"],
    [
      { read: { allow: ["/data"], deny: ["/data/*/x"] } },
      "file_read: /data/*",
      "without a pattern",
    ],
    [
      { read: { allow: ["/data"], deny: ["/data/f"] } },
      "file_read: /data/*",
      "can hide directories only",
    ],
  ])("where the kernel cannot enforce it: %j %s", (policy, capability, reason) => {
    const authority = authorityOf([capability, "exec: jq"], policy);
    const request = programRequest("jq", []);
    const result = compile(request, authority, fakeFacts(factsWanted(request, authority)));
    expect(!result.ok && "problem" in result ? result.problem : "").toContain(reason);
  });

  it("for a program where not all that is protected was found; the file worker has its check above", () => {
    const short = (request: CompileRequest) => {
      const facts = fakeFacts(factsWanted(request, AUTHORITY));
      const scans = [...facts.scans].map(
        ([root, scan]) => [root, { ...scan, complete: false }] as const,
      );
      return compile(request, AUTHORITY, { ...facts, scans: new Map(scans) });
    };
    const refused = short(programRequest("python3", []));
    expect(!refused.ok && "problem" in refused ? refused.problem : "").toContain("grant a smaller");
    const files = short({ kind: "files", worker: "/usr/lib/aaos/aaos-files", cgroup_name: "f" });
    expect(files.ok && files.notes.join()).toContain("more than could be searched");
  });
});
