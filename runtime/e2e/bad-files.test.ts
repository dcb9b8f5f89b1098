import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { lines, makeWorld, type World } from "./world.js";

const TIMEOUT = 60_000;
const ROLE = "system_prompt: Hello.\nmessage_template: Go.\n";

let world: World;

beforeEach(async () => {
  world = await makeWorld();
});

afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

describe("a configuration file that is broken keeps the daemon from starting", () => {
  it.each([
    ["agentd.yaml", "log_level: info\nmodel_slots: many\n", /agentd\.yaml:2/, /model_slots/],
    ["agentd.yaml", "log_levle: info\n", /agentd\.yaml:1/, /log_level/],
    ["agentd.yaml", "run: [1, 2\n", /agentd\.yaml:[12]/, /agentd/],
    [
      "providers.yaml",
      "default: x\nproviders:\n  x:\n    api: opanai\n",
      /providers\.yaml:[34]/,
      /api/,
    ],
    [
      "providers.yaml",
      'providers:\n  x: {api: openai, base_url: "ftp://x"}\n',
      /providers\.yaml:2/,
      /base_url/,
    ],
    ["policy.yaml", "write:\n  allow: [data]\n", /policy\.yaml:2/, /write\.allow/],
    ["policy.yaml", "wirte: {allow: [/data]}\n", /policy\.yaml:1/, /write/],
    ["policy.yaml", "network: {allow: ['bad host!']}\n", /policy\.yaml:1/, /network/],
  ])(
    "%s: %j",
    async (file, content, where, what) => {
      world.put(`etc/aaos/${file}`, content);
      const ended = await world.startRaw().ended;
      const said = ended.stdout + ended.stderr;
      expect(ended.code, said).toBe(2);
      expect(ended.stderr).toMatch(where);
      expect(ended.stderr).toMatch(what);
      expect(ended.stderr.trim().split("\n").length).toBeGreaterThanOrEqual(2);
      expect(said).not.toMatch(/at .*\.js:\d+/);
      expect(existsSync(world.socket)).toBe(false);
    },
    TIMEOUT,
  );

  it(
    "and absent or empty files work",
    async () => {
      world.put("etc/aaos/agentd.yaml", "");
      world.put("etc/aaos/providers.yaml", "# nothing\n");
      world.put("etc/aaos/policy.yaml", "");
      await world.start();
      expect((await world.cli(["list"])).code).toBe(0);
    },
    TIMEOUT,
  );
});

describe("U5 a role file that is broken disables itself alone", () => {
  it(
    "doctor, the log and the audit trail tell file and line; the other roles load",
    async () => {
      world.put("etc/aaos/roles/good.yaml", `name: good\n${ROLE}`);
      const bad = world.put(
        "etc/aaos/roles/bad.yaml",
        `name: bad\n${ROLE}capabilities: [file_raed: /data/*]\n`,
      );
      const worse = world.put("etc/aaos/roles/worse.yaml", "name: worse\n  system_prompt: [\n");
      await world.start();
      const doctor = await world.cli(["doctor"]);
      expect(doctor.code).toBe(1);
      expect(doctor.stdout).toMatch(/bad\.yaml:4/);
      expect(doctor.stdout).toMatch(/worse\.yaml:\d/);
      expect(doctor.stdout).toMatch(/file_read/);
      expect(world.daemon().stdout()).toMatch(/bad\.yaml/);
      const { stdout } = await world.cli([
        ...["audit", "query", "--kind", "catalog_entry_disabled", "--json"],
      ]);
      const disabled = lines(stdout);
      expect(new Set(disabled.map((event) => event["file"]))).toEqual(new Set([bad, worse]));
      expect(disabled.find((event) => event["file"] === bad)?.["line"]).toBe(4);
      const { roles, problems } = await world.json<{
        roles: { role: { name: string } }[];
        problems: { file: string; line: number }[];
      }>(["roles", "list"]);
      expect(roles.map(({ role }) => role.name)).toContain("good");
      expect(roles.map(({ role }) => role.name)).toContain("writer");
      expect(new Set(problems.map(({ file }) => file))).toEqual(new Set([bad, worse]));
      const validated = await world.cli(["roles", "validate", bad]);
      expect(validated.code).toBe(2);
      expect(validated.stdout + validated.stderr).toMatch(/bad\.yaml:4/);
    },
    TIMEOUT,
  );

  it(
    "a role of the operator shadows the vendor's of the same name",
    async () => {
      const own = world.put("etc/aaos/roles/writer.yaml", `name: writer\n${ROLE}`);
      await world.start();
      const shown = await world.json<{ file: string; origin: string }>(["roles", "show", "writer"]);
      expect(shown).toMatchObject({ file: own, origin: "operator" });
    },
    TIMEOUT,
  );
});

describe("a malformed goal file", () => {
  it.each([
    ["empty", "", /empty/],
    ["only white space", " \n\t\n", /empty/],
    ["no UTF-8", "latin", /UTF-8/],
    ["too long", "x".repeat(70_000), /65536/],
  ])(
    "%s: refused with exit code 2 before it reaches the daemon",
    async (what, content, says) => {
      const file = world.put("goal.txt", content);
      if (what === "no UTF-8") {
        const { writeFileSync } = await import("node:fs");
        writeFileSync(file, Buffer.from([0x66, 0xe9, 0xff, 0x20]));
      }
      const ended = await world.cli(["submit", "-f", file]);
      expect(ended.code).toBe(2);
      expect(ended.stderr).toMatch(says);
      expect(ended.stderr).toMatch(/goal\.txt/);
    },
    TIMEOUT,
  );

  it(
    "absent, or a folder: exit code 2 and its name",
    async () => {
      const absent = await world.cli(["submit", "-f", join(world.root, "nothing.txt")]);
      expect(absent).toMatchObject({ code: 2 });
      expect(absent.stderr).toMatch(/nothing\.txt: there is no such file/);
      expect((await world.cli(["submit", "-f", world.out])).code).toBe(2);
    },
    TIMEOUT,
  );
});

describe("a second daemon", () => {
  it(
    "on the same root is refused, and the first goes on",
    async () => {
      await world.start();
      const first = world.daemon();
      const second = await world.cli(["run"]);
      expect(second.code).toBe(1);
      expect(second.stderr).toMatch(/another|already/i);
      expect((await world.cli(["list"])).code).toBe(0);
      first.kill("SIGTERM");
      expect((await first.ended).code).toBe(0);
    },
    TIMEOUT,
  );
});
