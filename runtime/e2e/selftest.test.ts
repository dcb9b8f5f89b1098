import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { judgeDenials } from "../appliance/selftest/judge-denials.js";
import type { SelftestReport } from "../protocol/control-results.js";
import { article, startPages } from "./page-server.js";
import { lines, makeWorld, type World } from "./world.js";

const VENDOR = join(import.meta.dirname, "../../packaging/roles");
const TIMEOUT = 120_000;

let world: World;
beforeAll(async () => {
  // An operator's policy that opens no address on loopback: the selftest must neither need nor widen it.
  world = await makeWorld((out) => `write: {allow: [${out}]}\n`);
});
afterAll(() => world[Symbol.asyncDispose]());

describe("agentd selftest", () => {
  it(
    "without a daemon it is exit code 3, and says how to start one",
    async () => {
      const ended = await world.cli(["selftest"]);
      expect(ended.code).toBe(3);
      expect(ended.stderr).toMatch(/systemctl start agentd/);
    },
    TIMEOUT,
  );

  it(
    "carries a real goal out in confined workers, and has ten attempts refused",
    async () => {
      await world.start();
      const report = await world.json<SelftestReport>(["selftest"]);
      expect(report.checks.filter(({ verdict }) => verdict !== "ok")).toEqual([]);
      expect(report.ok).toBe(true);
      const names = report.checks.map(({ name }) => name);
      for (const name of ["goal", "output", "egress proxy", "confined workers"])
        expect(names).toContain(name);
      const denied = report.checks.filter(({ name }) => name.startsWith("denied: "));
      expect(denied).toHaveLength(10);
      expect(denied.filter(({ detail }) => detail.startsWith("kernel: "))).toHaveLength(4);
      const { stdout } = await world.cli(["audit", "export"]);
      const kinds = new Set(lines(stdout).map(({ kind }) => kind));
      for (const kind of ["plan_produced", "tool_result", "egress_decided", "capability_denied"])
        expect(kinds).toContain(kind);
      expect(readdirSync(join(world.root, "var/lib/aaos/selftest"))).toEqual([]);
    },
    TIMEOUT,
  );

  it(
    "its policy holds for itself alone: a goal beside it is judged by the operator's",
    async () => {
      const pages = await startPages({ "/x": { body: article("X", ["One fact."]) } });
      try {
        const beside = world.begin(["selftest"]);
        const out = join(world.out, "x.md");
        const goal = await world.cli(["submit", `Fetch ${pages.url("/x")} and save it to ${out}`]);
        expect(goal.code).toBe(1);
        expect(pages.hits("/x")).toBe(0);
        expect((await beside.ended).code).toBe(0);
      } finally {
        await pages.close();
      }
    },
    TIMEOUT,
  );

  it(
    "a machine that is slower than its roles allow a goal to be is well all the same",
    async () => {
      await world.stop();
      const share = join(world.root, "slow");
      cpSync(VENDOR, join(share, "roles"), { recursive: true });
      const fetcher = join(share, "roles/fetcher.yaml");
      const text = readFileSync(fetcher, "utf8");
      expect(text).toMatch(/max_wall_clock_s: 120/);
      writeFileSync(fetcher, text.replace("max_wall_clock_s: 120", "max_wall_clock_s: 0.001"));
      await world.start({ AAOS_SHARE: share });
      expect((await world.json<SelftestReport>(["selftest"])).ok).toBe(true);
    },
    TIMEOUT,
  );

  it(
    "a machine whose roles are broken is not well: exit code 1, and the line says what failed",
    async () => {
      await world.stop();
      const share = join(world.root, "share");
      mkdirSync(share);
      cpSync(VENDOR, join(share, "roles"), { recursive: true });
      writeFileSync(join(share, "roles/writer.yaml"), "name: writer\n");
      await world.start({ AAOS_SHARE: share });
      const { code, stdout } = await world.cli(["selftest"]);
      expect(code).toBe(1);
      expect(stdout).toMatch(/✗ goal .*role writer/);
    },
    TIMEOUT,
  );
});

describe("judging the attempts", () => {
  const denied = { error: { kind: "denied", layer: "token", message: "no" } };
  const inside = (found: object) => ({ exit_code: 0, stdout: JSON.stringify(found) });
  const all = inside({ read: "ENOENT", write: "EROFS", connect: "EACCES", socket: "EPERM" });
  const answers = (...changed: [string, object][]) =>
    new Map<string, never>([
      ...[0, 1, 2, 3, 4, 5].map((id) => [String(id), denied] as [string, never]),
      ["inside", all as never],
      ...(changed as [string, never][]),
    ]);
  const failed = (...changed: [string, object][]): string[] =>
    judgeDenials(answers(...changed), 0)
      .filter(({ verdict }) => verdict === "fail")
      .map(({ name }) => name);

  it("ten refusals are well", () => {
    expect(failed()).toEqual([]);
    expect(judgeDenials(answers(), 0)).toHaveLength(10);
  });

  it("what was let through, what broke otherwise and what was never answered is not", () => {
    expect(failed(["0", { content: "the secret" }])).toHaveLength(1);
    expect(failed(["1", { error: { kind: "not_found", message: "?" } }])).toHaveLength(1);
    expect(
      failed(["inside", inside({ read: "done", write: "EROFS", connect: "ETIMEDOUT" })]),
    ).toHaveLength(3);
    expect(failed(["inside", denied])).toHaveLength(4);
    expect(judgeDenials(new Map(), 0).every(({ verdict }) => verdict === "fail")).toBe(true);
    expect(judgeDenials(answers(), 1).some(({ verdict }) => verdict === "fail")).toBe(true);
  });
});
