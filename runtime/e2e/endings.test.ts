import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type ScriptedModel, startScriptedModel } from "../test/scripted-model.js";
import type { ScriptedRule } from "../test/scripted-script.js";
import { GENERALIST } from "./scripted-team.js";
import { waitFor } from "./wait.js";
import { makeWorld, useModel, type World } from "./world.js";

const TIMEOUT = 120_000;
const AGENTD = fileURLToPath(new URL("../agentd.js", import.meta.url));

let world: World;
let model: ScriptedModel | undefined;

beforeEach(async () => {
  world = await makeWorld();
});

afterEach(async () => {
  await world[Symbol.asyncDispose]();
  await model?.close();
  model = undefined;
});

async function startWith(...rules: readonly ScriptedRule[]): Promise<ScriptedModel> {
  model = await startScriptedModel({ rules });
  useModel(world, "openai", model.openai_url);
  await world.start();
  return model;
}

const direct = ["submit", "Look at it", "--orchestration", "direct"] as const;

async function lastRun(): Promise<string> {
  const { runs } = await world.json<{ runs: { run_id: string }[] }>(["list", "--all"]);
  return runs[0]?.run_id ?? "";
}

describe("how a run ends", () => {
  it(
    "an agent whose run may spend no more ends as budget_exceeded, and the journal says so",
    async () => {
      const usage = { input: 6000, output: 6000 };
      const call = { name: "echo", input: { message: "spent" } };
      await startWith({ match: { system: GENERALIST }, reply: { tool_calls: [call], usage } });
      const ended = await world.cli([...direct, "--max-tokens", "9000"]);
      expect(ended.code).toBe(1);
      expect(ended.stderr).toMatch(/12000 of its 9000 tokens.*\(budget_exceeded\)/);
      const events = await world.events(await lastRun());
      expect(events.find(({ kind }) => kind === "agent_execution_completed")).toMatchObject({
        stop_reason: "budget_exceeded",
        total_iterations: 1,
      });
    },
    TIMEOUT,
  );

  it(
    "a run out of time says how long it had, and its agent ended for that",
    async () => {
      await startWith({ delayMs: 30_000, reply: "late" });
      const ended = await world.cli([...direct, "--timeout", "1500ms"]);
      expect(ended.stderr).toMatch(/longer than 1\.5s \(budget_exceeded\)/);
      const events = await world.events(await lastRun());
      const completed = events.find(({ kind }) => kind === "agent_execution_completed");
      expect(completed).toMatchObject({ stop_reason: "budget_exceeded" });
    },
    TIMEOUT,
  );

  it(
    "whom the operator wants to work alone is not replaced by a plan when it fails: no planner is asked",
    async () => {
      const server = await startWith({ match: { system: GENERALIST }, reply: "ERROR: it is gone" });
      const ended = await world.cli([...direct]);
      expect(ended.code).toBe(1);
      expect(ended.stderr).toContain("it is gone");
      expect(server.requests.every(({ system }) => GENERALIST.test(system))).toBe(true);
    },
    TIMEOUT,
  );

  it(
    "stopping an agent comes back when nothing of it is left",
    async () => {
      await startWith({ delayMs: 30_000, reply: "late" });
      await world.cli([...direct, "--detach"]);
      const agent = await waitFor("an agent at work", async () => {
        const { agents } = await world.json<{ agents: { agent_id: string; state: string }[] }>([
          "list",
        ]);
        return agents.find(({ state }) => state === "running")?.agent_id;
      });
      expect(await world.cli(["stop", agent])).toMatchObject({ code: 0 });
      const status = await world.json<{
        agent: { state: string; tokens: { revoked_at: unknown }[] };
      }>(["status", agent]);
      expect(status.agent.state).toBe("stopped");
      expect(status.agent.tokens.every(({ revoked_at }) => revoked_at !== null)).toBe(true);
    },
    TIMEOUT,
  );
});

describe("the command line", () => {
  it(
    "a reader that leaves early gets no stack trace",
    async () => {
      await startWith({ reply: "Done." });
      await world.cli([...direct]);
      const command = `"${process.execPath}" "${AGENTD}" --root "${world.root}"`;
      const run = await lastRun();
      for (const verb of [`status ${run}`, "tools list", "list --all"]) {
        const piped = spawnSync("sh", ["-c", `${command} ${verb} | true`], { encoding: "utf8" });
        expect(piped.stderr).toBe("");
      }
    },
    TIMEOUT,
  );

  it(
    "a wrong word is hinted at where it stands, not where another verb has the same word",
    async () => {
      const ended = await world.cli(["skillz", "list"]);
      expect(ended.code).toBe(2);
      expect(ended.stderr).toContain("See `agentd --help`.");
      expect((await world.cli(["audit", "lost"])).stderr).toContain("See `agentd audit --help`.");
    },
    TIMEOUT,
  );
});
