import { existsSync } from "node:fs";
import { afterEach, beforeEach, expect, it } from "vitest";
import { makeWorld, type WireLine, type World } from "./world.js";

const TIMEOUT = 120_000;
const ROLE = (output: string) =>
  `name: mine\nsystem_prompt: Hello.\nmessage_template: Go.\ncapabilities: ["file_write: ${output}"]\n`;

let world: World;

beforeEach(async () => {
  world = await makeWorld();
});

afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

/** Hangs up and waits until the files were read again, for the `count`th time. */
async function reload(count: number): Promise<WireLine> {
  world.daemon().kill("SIGHUP");
  return reloaded(count);
}

/** Waits until the trail says so. */
async function reloaded(count: number): Promise<WireLine> {
  const told = async () => {
    const { stdout } = await world.cli(["audit", "export", "--kind", "configuration_reloaded"]);
    return stdout.split("\n").filter((line) => line !== "");
  };
  await expect.poll(async () => (await told()).length, { timeout: 60_000 }).toBe(count);
  return JSON.parse((await told()).at(-1) ?? "") as WireLine;
}

it(
  "SIGHUP has the operator's files read again, a broken one keeps what it said before, and the daemon lives on",
  async () => {
    const { pid } = await world.start();
    world.put("etc/aaos/roles/mine.yaml", ROLE(`${world.out}/a`));
    world.put(
      "etc/aaos/providers.yaml",
      'default: near\nproviders: {near: {api: openai, base_url: "http://127.0.0.1:9/v1"}}\n',
    );
    expect((await reload(1))["problems"]).toEqual([]);
    const role = await ask("role.show", { name: "mine" });
    expect(role["result"]).toBeDefined();
    expect((await ask("system.status"))["result"]).toMatchObject({ default_provider: "near", pid });
    expect((await explained()).granted).toEqual([`file_write: ${world.out}/a`]);

    // Each broken: all three go on as they were, and each is named with its line.
    world.put("etc/aaos/policy.yaml", "write:\n  allow: [data]\n");
    world.put("etc/aaos/providers.yaml", "providers: [\n");
    world.put("etc/aaos/roles/mine.yaml", "name: mine\nsystem_prompt: 1\n");
    const { problems } = await reload(2);
    for (const file of ["policy.yaml:2", "providers.yaml:", "mine.yaml:"])
      expect(problems).toEqual(expect.arrayContaining([expect.stringContaining(file)]));
    expect((await ask("system.status"))["result"]).toMatchObject({ default_provider: "near", pid });
    expect((await explained()).granted).toEqual([`file_write: ${world.out}/a`]);
    expect(world.daemon().stdout()).toContain("what it said before stays in force");

    // Mended, and narrower than before.
    world.put("etc/aaos/policy.yaml", "write: {allow: []}\n");
    world.put("etc/aaos/providers.yaml", "");
    world.put("etc/aaos/roles/mine.yaml", ROLE(`${world.out}/b`));
    expect((await reload(3))["problems"]).toEqual([]);
    expect((await explained()).granted).toEqual([]);
    expect((await ask("system.status"))["result"]).toMatchObject({ default_provider: "builtin" });
    expect(existsSync(world.socket)).toBe(true);
  },
  TIMEOUT,
);

it(
  "SIGHUP while the daemon starts is heard when it is ready, and ends nothing",
  async () => {
    const daemon = world.startRaw();
    await expect
      .poll(() => existsSync(`${world.root}/var/lib/aaos/aaos.db`), {
        timeout: 60_000,
        interval: 5,
      })
      .toBe(true);
    daemon.kill("SIGHUP");
    await daemon.until(/agentd ready/);
    expect((await reloaded(1))["problems"]).toEqual([]);
  },
  TIMEOUT,
);

async function ask(method: string, params: unknown = {}): Promise<Record<string, unknown>> {
  const { rawClient } = await import("../test/raw-client.js");
  using client = await rawClient(world.socket);
  client.request(method, params);
  return (await client.next()) ?? {};
}

async function explained(): Promise<{ granted: string[] }> {
  const { result } = await ask("role.explain", { name: "mine" });
  return result as { granted: string[] };
}
