import { chmodSync, existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type ScriptedModel, startScriptedModel } from "../test/scripted-model.js";
import { CTRL_C, DOWN, ENTER, onTerminal } from "./terminal.js";
import { KEY, makeWorld, type World } from "./world.js";

let world: World;
let model: ScriptedModel;
beforeEach(async () => {
  world = await makeWorld();
  model = await startScriptedModel({ rules: [{ reply: { text: "ready" } }], requireKey: KEY });
});
afterEach(async () => {
  await model.close();
  await world[Symbol.asyncDispose]();
});

const FILE = "etc/aaos/providers.yaml";
const own = () => [
  "configure",
  "--provider",
  "own",
  "--base-url",
  model.openai_url,
  "--model",
  "m-1",
];

describe("agentd configure with --provider", () => {
  it("U15 tries the key with the model, keeps it 0600, and goals go there", async () => {
    const ended = await world.cli([...own(), "--key-from-env", "MY_KEY"], { env: { MY_KEY: KEY } });
    expect(ended).toMatchObject({ code: 0, stderr: "" });
    expect(ended.stdout + ended.stderr).not.toContain(KEY);
    const secret = join(world.root, "etc/aaos/credentials/own");
    expect(statSync(secret).mode & 0o777).toBe(0o600);
    expect(world.read("etc/aaos/credentials/own").trim()).toBe(KEY);
    expect(model.requests.at(-1)?.body["model"]).toBe("m-1");
    await world.start();
    expect((await world.cli(["doctor"])).stdout).toMatch(/provider\s+the default is own/);
  });

  it("changes what must change and no other byte of providers.yaml", async () => {
    const before = `# ours
default: local
providers:
  local: {api: openai, base_url: "http://127.0.0.1:1/v1"}  # the box in the cellar
models: {}
`;
    const file = world.put(FILE, before);
    chmodSync(file, 0o640);
    world.put("etc/aaos/credentials/local", "another-secret", 0o600);
    await world.cli([...own(), "--key-from-env", "K"], { env: { K: KEY } });
    const after = world.read(FILE);
    expect(after).toBe(`# ours
default: own
providers:
  local: {api: openai, base_url: "http://127.0.0.1:1/v1"}  # the box in the cellar
  own: {api: openai, base_url: ${model.openai_url}, credential: own}
models: {m-1: {provider: own}}
aliases: {planner: m-1, fast: m-1, strong: m-1}
`);
    expect(statSync(file).mode & 0o777).toBe(0o640);
    expect(world.read("etc/aaos/credentials/local")).toBe("another-secret");
    // The same again changes nothing.
    const again = await world.cli([...own(), "--key-from-env", "K", "--json"], { env: { K: KEY } });
    expect(JSON.parse(again.stdout)).toMatchObject({ provider: "own", changed: [] });
    expect(world.read(FILE)).toBe(after);
  });

  it("a wrong key changes nothing, is shown nowhere, and --no-check keeps it all the same", async () => {
    const wrong = "sk-wrong-abcdefghijkl";
    const args = [...own(), "--key-from-env", "K"];
    const refused = await world.cli(args, { env: { K: wrong } });
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(/key was refused.*nothing was changed/);
    expect(refused.stderr).toMatch(/--no-check/);
    expect(refused.stdout + refused.stderr).not.toContain(wrong);
    expect(existsSync(join(world.root, FILE))).toBe(false);
    expect(existsSync(join(world.root, "etc/aaos/credentials/own"))).toBe(false);
    expect((await world.cli([...args, "--no-check"], { env: { K: wrong } })).code).toBe(0);
    expect(world.read("etc/aaos/credentials/own").trim()).toBe(wrong);
  });

  it("a known provider needs its key alone: providers.yaml names it as the default", async () => {
    const args = ["configure", "--provider", "anthropic", "--key-from-env", "K", "--no-check"];
    expect((await world.cli(args, { env: { K: KEY } })).code).toBe(0);
    expect(world.read(FILE)).toBe("default: anthropic\n");
    expect((await world.cli(["configure", "--provider", "builtin"])).code).toBe(0);
    expect(world.read(FILE)).toBe("default: builtin\n");
  });

  it("a running daemon is not forgotten: it says that it must be started again", async () => {
    await world.start();
    const ended = await world.cli(["configure", "--provider", "builtin"]);
    expect(ended.stdout).toMatch(/Restart agentd/);
  });

  it.each([
    [["--provider", "nobody"], /nobody.*\n.*--base-url/],
    [["--key-from-env", "K"], /--provider is missing/],
    [["--provider", "deepseek", "--key-from-env", "ABSENT"], /ABSENT is empty/],
    [["--provider", "x", "--base-url", "ftp://h"], /--base-url/],
    [["--provider", "x", "--base-url", "http://h", "--api", "soap"], /soap/],
    [[], /no terminal/],
  ])("%j is a usage error that says what to do", async (args, says) => {
    const ended = await world.cli(["configure", ...args]);
    expect(ended.code).toBe(2);
    expect(ended.stderr).toMatch(says);
  });

  it("a broken providers.yaml is told with its line and left as it is", async () => {
    world.put(FILE, "default: local\nprovidrs: {}\n");
    const ended = await world.cli(["configure", "--provider", "builtin"]);
    expect(ended.code).toBe(2);
    expect(ended.stderr).toMatch(/providers\.yaml:2: providrs/);
    expect(world.read(FILE)).toBe("default: local\nprovidrs: {}\n");
  });
});

describe("agentd configure on a terminal", () => {
  it("asks for server, model and key, tries them, asks again after a wrong key", async () => {
    await using terminal = onTerminal(["--root", world.root, "configure"]);
    const server = async (key: string): Promise<void> => {
      await terminal.see(/Which provider/);
      terminal.type(DOWN + DOWN + DOWN + ENTER);
      await terminal.see(/What does it speak/);
      terminal.type(ENTER);
      await terminal.see(/base URL/);
      terminal.type(model.openai_url + ENTER);
      await terminal.see(/model's id/);
      terminal.type(`m-2${ENTER}`);
      await terminal.see(/API key/);
      terminal.type(key + ENTER);
    };
    await server("sk-wrong-abcdefghijkl");
    await terminal.see(/key was refused/);
    await terminal.see(/Try again/);
    terminal.type(ENTER);
    await server(KEY);
    await terminal.see(/answers with m-2/);
    expect(await terminal.ended).toBe(0);
    expect(terminal.shown()).not.toContain(KEY);
    expect(world.read("etc/aaos/credentials/local").trim()).toBe(KEY);
    expect(world.read(FILE)).toContain("default: local");
  });

  it("can be left at any question: nothing is written and the exit code says so", async () => {
    await using terminal = onTerminal(["--root", world.root, "configure"]);
    await terminal.see(/Which provider/);
    terminal.type(ENTER);
    await terminal.see(/API key/);
    terminal.type(CTRL_C);
    expect(await terminal.ended).toBe(4);
    expect(existsSync(join(world.root, FILE))).toBe(false);
  });
});
