import { chmodSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startScriptedModel } from "../test/scripted-model.js";
import { KEY, makeWorld, useModel, type World } from "./world.js";

interface Check {
  readonly name: string;
  readonly verdict: "ok" | "warn" | "fail";
  readonly detail: string;
  readonly remedy: string | null;
}

let world: World;
beforeAll(async () => {
  world = await makeWorld();
});
afterAll(() => world[Symbol.asyncDispose]());

async function checks(
  args: readonly string[] = [],
): Promise<{ code: number | null; checks: Check[] }> {
  const { code, stdout } = await world.cli(["doctor", "--json", ...args]);
  const report = JSON.parse(stdout) as { ok: boolean; checks: Check[] };
  expect(report.ok).toBe(code === 0);
  // Every line that is not well has its remedy, and no other has one.
  for (const { verdict, remedy } of report.checks) expect(remedy === null).toBe(verdict === "ok");
  return { code, checks: report.checks };
}

const named = (all: readonly Check[], name: string): Check | undefined =>
  all.find((check) => check.name === name);

describe("agentd doctor", () => {
  it("without a daemon it proves each layer itself, by a launch", async () => {
    const { code, checks: all } = await checks();
    expect(code).toBe(1);
    expect(named(all, "daemon")?.verdict).toBe("fail");
    for (const layer of ["namespaces", "root", "landlock", "seccomp", "capabilities"])
      expect(named(all, `confinement: ${layer}`)?.verdict).toBe("ok");
    expect(named(all, "landlock")?.detail).toMatch(/^ABI \d+$/);
    for (const name of ["kernel", "user namespaces", "cgroup", "clock", "roles", "manifests"])
      expect(named(all, name)).toBeDefined();
    expect(all.some(({ name }) => name.startsWith("disk "))).toBe(true);
  });

  it("with a daemon nothing fails, and each thing is told once", async () => {
    await world.start();
    const { code, checks: all } = await checks();
    expect(all.filter(({ verdict }) => verdict === "fail")).toEqual([]);
    expect(code).toBe(0);
    const names = all.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    await world.stop();
  });

  it("every broken file is told with its line, and what is wrong in it", async () => {
    const files = [
      world.put("etc/aaos/agentd.yaml", "log_level: info\nmodel_slot: 3\n"),
      world.put("etc/aaos/policy.yaml", "read:\n  allow: [data]\nexec:\n  alow: []\n"),
      world.put("etc/aaos/roles/x.yaml", "name: x\nsystem_prompt: Hello.\nmessage_tmplate: Go.\n"),
      world.put(
        "etc/aaos/manifests/m.yaml",
        "name: m\nmodel: fast\nsystem_prompt: x\ncapabilities:\n  - fly: /\n",
      ),
    ];
    const { code, checks: all } = await checks();
    expect(code).toBe(1);
    const told = all.filter(({ verdict }) => verdict === "fail").map(({ detail }) => detail);
    for (const [file, line] of [
      [files[0], 2],
      [files[1], 2],
      [files[1], 4],
      [files[2], 3],
      [files[3], 5],
    ])
      expect(told.some((detail) => detail.startsWith(`${file}:${line}: `))).toBe(true);
    for (const file of files) rmSync(file);
  });

  it("a secret that others may read is told with the command that mends it", async () => {
    const file = world.put("etc/aaos/credentials/own", KEY, 0o644);
    chmodSync(join(world.root, "etc/aaos/credentials"), 0o700);
    const { checks: all } = await checks();
    const fault = all.find(({ name, verdict }) => name === "credentials" && verdict === "fail");
    expect(fault?.detail).toContain(`${file} has mode 0644`);
    expect(fault?.remedy).toContain(`chmod 0600 ${file}`);
    chmodSync(file, 0o600);
    expect(named((await checks()).checks, "credentials")?.verdict).toBe("ok");
  });

  it("a provider that answers, one that refuses the key and one that is not there", async () => {
    const model = await startScriptedModel({ rules: [], requireKey: KEY });
    try {
      useModel(world, "openai", model.openai_url);
      expect(named((await checks()).checks, "provider scripted")).toMatchObject({ verdict: "ok" });
      world.put("etc/aaos/credentials/scripted", "sk-wrong-0123456789", 0o600);
      const refused = await checks();
      expect(named(refused.checks, "provider scripted")?.detail).toMatch(
        /401: the key was refused/,
      );
      expect(JSON.stringify(refused)).not.toContain("sk-wrong");
    } finally {
      await model.close();
    }
    const gone = named((await checks()).checks, "provider scripted");
    expect(gone).toMatchObject({ verdict: "fail" });
    expect(gone?.detail).toMatch(/ECONNREFUSED/);
    expect(gone?.remedy).toMatch(/base_url/);
  });

  it("--bundle writes a report 0600 that holds no secret, and overwrites nothing", async () => {
    world.put("etc/aaos/agentd.yaml", "proxy: http://me:proxy-passw0rd@127.0.0.1:9\n");
    const file = join(world.root, "bundle.json");
    const { code } = await world.cli(["doctor", "--bundle", file]);
    expect(code).toBe(1);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const text = readFileSync(file, "utf8");
    expect(text).not.toContain("proxy-passw0rd");
    expect(text).not.toContain(KEY);
    const report = JSON.parse(text) as { files: Record<string, string>; checks: Check[] };
    expect(report.files[join(world.root, "etc/aaos/agentd.yaml")]).toContain("[redacted]");
    expect(report.checks.length).toBeGreaterThan(15);
    const again = await world.cli(["doctor", "--bundle", file]);
    expect(again.code).toBe(2);
    expect(again.stderr).toMatch(/not there yet/);
  });
});
