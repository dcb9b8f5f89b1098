import { rmSync, statSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
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
  disk = mountSmallDisk(state, 24);
  if (isRoot) expect(disk).toBeDefined();
  const echo = (message: string) => ({ tool_calls: [{ name: "echo", input: { message } }] });
  model = await startScriptedModel({
    rules: [
      {
        delayMs: 500,
        reply: ({ tool_results, all }) => {
          if (all.includes("You are keeper")) return "Kept.";
          const turn = tool_results.length;
          return turn === 12 ? "Here it is." : echo(`${turn}${"x".repeat(20_000)}`);
        },
      },
    ],
  });
  useModel(world, "openai", model.openai_url);
  // Not looked at before the disk is full: it is the journal that finds out.
  world.put("etc/aaos/agentd.yaml", "disk: {check_s: 8}\n");
  await world.start();
});

afterEach(async () => {
  await world.stop();
  disk?.[Symbol.dispose]();
  await world[Symbol.asyncDispose]();
  await model.close();
});

describe.skipIf(!isRoot)("a daemon that starts on a full disk", () => {
  it("is not given up by systemd: it ends after a while with the reason, at once when it is told to, and starts when there is room", async () => {
    await world.stop();
    disk?.fill();
    const first = world.startRaw();
    const soon = await Promise.race([first.ended, sleep(10_000)]);
    expect(soon).toBeUndefined();
    first.kill("SIGTERM");
    const { code, stderr } = await first.ended;
    expect(code).toBe(1);
    expect(stderr).toMatch(/no room for/);
    rmSync(join(state, "fill"));
    await world.start();
    expect((await world.cli(["audit", "verify"])).code).toBe(0);
  }, 120_000);
});

describe.skipIf(!isRoot)("a disk that is full before anybody has looked", () => {
  it("fails no run and no agent: they rest where they stood, new goals are refused, and all go on when there is room", async () => {
    const file = world.put(
      "keeper.yaml",
      "name: keeper\nmodel: fast\nsystem_prompt: You are keeper.\nlifecycle: persistent\n",
    );
    await world.json(["agents", "spawn", file]);
    const direct = ["--orchestration", "direct"] as const;
    const run = (await world.cli(["submit", "Look at it", ...direct, "--detach"])).stdout.trim();
    await waitFor("the first turns", () => (model.requests.length > 2 ? true : undefined));
    await world.cli(["agents", "send", "keeper", "--no-wait", "Keep it"]);
    disk?.fill();
    await waitFor("the full disk", () => {
      const refusal = world.cli(["submit", "Another", ...direct]);
      return refusal.then(({ stderr }) => (/full|MB left/.test(stderr) ? true : undefined));
    });
    const stateNow = async () =>
      (await world.json<{ run: { state: string } }>(["status", run])).run.state;
    expect(["running", "paused"]).toContain(await stateNow());
    // Room for a word, but not enough to go on.
    truncateSync(join(state, "fill"), statSync(join(state, "fill")).size - 1_000_000);
    await waitFor("the pause", async () => ((await stateNow()) === "paused" ? true : undefined));
    rmSync(join(state, "fill"));
    const end = await waitFor("the end", async () => {
      const found = (await world.json<{ run: { state: string } }>(["status", run])).run;
      return ["succeeded", "failed"].includes(found.state) ? found : undefined;
    });
    expect(end).toMatchObject({ state: "succeeded" });
    await waitFor("the agent's answer", async () => {
      const { stdout } = await world.cli(["audit", "export", "--kind", "message_answered"]);
      return stdout.includes("Kept.") ? true : undefined;
    });
    expect(await world.cli(["audit", "verify"])).toMatchObject({ code: 0 });
  }, 180_000);
});
