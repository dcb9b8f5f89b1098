import { chmodSync, existsSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type ScriptedModel, startScriptedModel } from "../test/scripted-model.js";
import { waitFor } from "./wait.js";
import { makeWorld, useModel, type World } from "./world.js";

const isRoot = process.getuid?.() === 0;
const ADA = 30_001;
const BOB = 30_002;

let world: World;
let model: ScriptedModel;

beforeEach(async () => {
  world = await makeWorld();
  const file = join(world.out, "a.txt");
  model = await startScriptedModel({
    rules: [
      { match: { tool_result: /./ }, reply: (request) => request.tool_results.at(-1) ?? "" },
      { reply: { tool_calls: [{ name: "file_write", input: { path: file, content: "x\n" } }] } },
    ],
  });
  useModel(world, "openai", model.openai_url);
  world.put(
    "etc/aaos/manifests/keeper.yaml",
    `name: keeper\nmodel: fast\nsystem_prompt: You are keeper.\nlifecycle: persistent\ncapabilities: ["file_write: ${world.out}/*"]\napproval_required: [file_write]\n`,
  );
  await world.start();
  for (const dir of ["run/agentd", "run"]) chmodSync(join(world.root, dir), 0o755);
  chmodSync(world.socket, 0o666);
});

afterEach(async () => {
  await world[Symbol.asyncDispose]();
  await model.close();
});

const as = (uid: number, ...args: readonly string[]) => world.cli(args, { uid });

describe.skipIf(!isRoot)("an agent that lives on and belongs to another user", () => {
  it("is not seen, not written to by the clock, and what it asks is not answered; its owner's twin may all of it", async () => {
    const spawned = await as(ADA, "agents", "spawn", "keeper", "--json");
    const { agent_id } = JSON.parse(spawned.stdout) as { agent_id: string };
    await as(ADA, "agents", "send", agent_id, "--no-wait", "Write it");
    const pendingOf = async (uid: number) => {
      const { stdout } = await as(uid, "approvals", "--json");
      return (JSON.parse(stdout) as { pending: { id: string }[] }).pending;
    };
    const [asked] = await waitFor("the approval", async () => {
      const found = await pendingOf(ADA);
      return found.length > 0 ? found : undefined;
    });
    const id = asked?.id ?? "";
    expect(await pendingOf(BOB)).toEqual([]);
    for (const args of [
      ["approve", id],
      ["status", agent_id],
      ["agents", "send", agent_id, "Hello"],
      ["schedule", "add", "+1h", "--agent", agent_id, "Hello"],
      ["schedule", "add", "+1h", "--agent", agent_id.slice(-8), "Hello"],
    ]) {
      const refused = await as(BOB, ...args);
      expect([args, refused.code]).not.toEqual([args, 0]);
      expect(refused.stderr).toMatch(/belongs to another user|no agent/);
    }
    // The same name is another agent: Bob's own.
    expect((await as(BOB, "schedule", "add", "+1s", "--agent", "keeper", "Mine")).code).toBe(0);
    const bobs = await waitFor("the agent of Bob", async () => {
      const { stdout } = await as(BOB, "list", "--json");
      const { agents } = JSON.parse(stdout) as { agents: { agent_id: string; name: string }[] };
      return agents.find(({ name }) => name === "keeper");
    });
    expect(bobs.agent_id).not.toBe(agent_id);
    expect(existsSync(join(world.out, "a.txt"))).toBe(false);
    expect((await as(ADA, "approve", id)).code).toBe(0);
    await waitFor("the file", () => (existsSync(join(world.out, "a.txt")) ? true : undefined));
  }, 120_000);
});
