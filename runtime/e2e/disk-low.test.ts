import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type ScriptedModel, startScriptedModel } from "../test/scripted-model.js";
import { mountSmallDisk, type SmallDisk } from "../test/small-disk.js";
import { waitFor } from "./wait.js";
import { makeWorld, useModel, type World } from "./world.js";

const isRoot = process.getuid?.() === 0;

let world: World;
let model: ScriptedModel;
let state: string;
let disk: SmallDisk | undefined;

beforeEach(async () => {
  world = await makeWorld();
  state = join(world.root, "var/lib/aaos");
  disk = mountSmallDisk(state, 48);
  if (isRoot) expect(disk).toBeDefined();
  const call = { name: "echo", input: { message: "on" } };
  model = await startScriptedModel({
    rules: [{ delayMs: 1_500, times: 1, reply: { tool_calls: [call] } }, { reply: "Here it is." }],
  });
  useModel(world, "openai", model.openai_url);
  world.put("etc/aaos/agentd.yaml", "disk: {check_s: 0.2}\n");
  await world.start();
});

afterEach(async () => {
  await world.stop();
  disk?.[Symbol.dispose]();
  await world[Symbol.asyncDispose]();
  await model.close();
});

describe.skipIf(!isRoot)("a disk that is nearly full", () => {
  it("has new runs refused with the reason and running ones paused; all go on when there is room", async () => {
    const direct = ["--orchestration", "direct"] as const;
    const submitted = await world.cli(["submit", "Look at it", ...direct, "--detach"]);
    const run = submitted.stdout.trim();
    await waitFor("the model", () => (model.requests.length > 0 ? true : undefined));
    // 5 % of 48 MB are the mark.
    writeFileSync(join(state, "fill"), Buffer.alloc(46 * 1_048_576));
    const stateOf = async () =>
      (await world.json<{ run: { state: string; paused: string | null } }>(["status", run])).run;
    const paused = await waitFor("the pause", async () => {
      const now = await stateOf();
      return now.state === "paused" ? now : undefined;
    });
    expect(paused.paused).toMatch(/^the disk is nearly full: .* MB left/);
    const refused = await world.cli(["submit", "Another", ...direct]);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(/MB left, under .* MB/);
    expect((await world.cli(["resume", run])).code).toBe(1);
    rmSync(join(state, "fill"));
    await waitFor("the end", async () =>
      (await stateOf()).state === "succeeded" ? true : undefined,
    );
    expect(await world.cli(["audit", "verify"])).toMatchObject({ code: 0 });
  }, 120_000);
});
