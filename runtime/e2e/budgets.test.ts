import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { connectTo } from "../cli/client.js";
import { type ScriptedModel, startScriptedModel } from "../test/scripted-model.js";
import type { ScriptedRequest, ScriptedRule, ScriptedTurn } from "../test/scripted-script.js";
import { article, type PageServer, startPages } from "./page-server.js";
import { isReplan, PLANNER } from "./scripted-team.js";
import { waitFor } from "./wait.js";
import { makeWorld, useModel, type World } from "./world.js";

const TIMEOUT = 120_000;

let world: World;
let model: ScriptedModel;
let pages: PageServer;

beforeEach(async () => {
  world = await makeWorld();
  pages = await startPages({ "/slow": { body: article("Slow", ["Late."]), delayMs: 8_000 } });
});

afterEach(async () => {
  await world[Symbol.asyncDispose]();
  await pages.close();
  await model.close();
});

async function start(...rules: readonly ScriptedRule[]): Promise<void> {
  model = await startScriptedModel({ rules });
  useModel(world, "openai", model.openai_url);
  await world.start();
}

function role(name: string, more: string): void {
  const text = `name: ${name}\nsystem_prompt: You are ${name}.\nmessage_template: Work.\n${more}\n`;
  world.put(`etc/aaos/roles/${name}.yaml`, text);
}

/** Says "go on" by a call so often, each time for so many tokens, then that it is done. */
function talker(turns: number, tokens: number) {
  return ({ tool_results }: ScriptedRequest): ScriptedTurn => {
    const usage = { input: tokens - 10, output: 10 };
    if (tool_results.length === turns) return { text: "It is done.", usage };
    return { tool_calls: [{ name: "echo", input: { message: `${tool_results.length}` } }], usage };
  };
}

interface Run {
  readonly state: string;
  readonly final_text: string | null;
  readonly usage: { readonly input_tokens: number; readonly output_tokens: number };
  readonly error: { readonly kind: string; readonly message: string } | null;
}

async function submit(...args: readonly string[]): Promise<string> {
  const ended = await world.cli(["submit", "Work", ...args, "--detach"]);
  if (ended.code !== 0) throw new Error(ended.stderr);
  return ended.stdout.trim();
}

const runOf = async (id: string) => (await world.json<{ run: Run }>(["status", id])).run;

const ended = (id: string) =>
  waitFor("the run's end", async () => {
    const run = await runOf(id);
    return ["succeeded", "failed", "cancelled"].includes(run.state) ? run : undefined;
  });

interface Pending {
  readonly id: string;
  readonly subject: string;
  readonly description: string;
}

const firstPending = () =>
  waitFor("an approval", async () => {
    const { pending } = await world.json<{ pending: Pending[] }>(["approvals"]);
    return pending[0];
  });

describe("a budget that is used up, of a role that says `on_exceeded: ask`", () => {
  const ASKS = 'capabilities: ["tool: echo"]\nbudget: {max_tokens: 2600, on_exceeded: ask}';

  it(
    "A24-22 waits for an operator, over a daemon that is killed; raised, the run goes on to its end",
    async () => {
      role("asker", ASKS);
      await start({ reply: talker(3, 1_000) });
      const run = await submit("--role", "asker");
      const asked = await firstPending();
      expect(asked).toMatchObject({ subject: "budget" });
      expect(asked.description).toMatch(
        /asker cannot go on: step asker has used 2000 of its 2600 tokens; the next call needs/,
      );
      expect((await runOf(run)).state).toBe("waiting_approval");
      const before = model.requests.length;
      world.daemon().kill("SIGKILL");
      await world.daemon().ended;
      await world.start();
      expect((await firstPending()).id).toBe(asked.id);
      expect(model.requests.length).toBe(before);
      await world.json(["approve", asked.id]);
      const end = await ended(run);
      expect(end).toMatchObject({ state: "succeeded", final_text: "It is done." });
      expect(end.usage.input_tokens + end.usage.output_tokens).toBe(4_000);
      const raised = (await world.events(run)).filter(({ kind }) => kind === "budget_raised");
      expect(raised).toMatchObject([{ scope: "step", unit: "tokens", by: 2_600 }]);
    },
    TIMEOUT,
  );

  it(
    "A24-22 denied, the run fails with budget_exceeded, and no further call was made",
    async () => {
      role("asker", ASKS);
      await start({ reply: talker(3, 1_000) });
      const run = await submit("--role", "asker");
      const { id } = await firstPending();
      const before = model.requests.length;
      await world.json(["deny", id]);
      const end = await ended(run);
      expect(end).toMatchObject({ state: "failed", error: { kind: "budget_exceeded" } });
      expect(model.requests.length).toBe(before);
    },
    TIMEOUT,
  );
});

describe("the machine's day", () => {
  it(
    "A24-22 is not made new by a restart: what was spent before counts, and the next run ends with budget_exceeded",
    async () => {
      const limits = "limits: {tokens_per_day: 2600}\n";
      world.put("etc/aaos/policy.yaml", `${world.read("etc/aaos/policy.yaml")}${limits}`);
      role("talker", 'capabilities: ["tool: echo"]');
      await start({ reply: talker(0, 2_500) });
      expect((await ended(await submit("--role", "talker"))).state).toBe("succeeded");
      world.daemon().kill("SIGKILL");
      await world.daemon().ended;
      await world.start();
      const { budgets } = await connectTo(world.socket).call("system.status", {});
      expect(budgets).toMatchObject([{ scope: "day", unit: "tokens", used: 2_500, limit: 2_600 }]);
      const before = model.requests.length;
      const end = await ended(await submit("--role", "talker"));
      expect(end).toMatchObject({ state: "failed", error: { kind: "budget_exceeded" } });
      expect(end.error?.message).toMatch(/machine's day .* has used 2500 of its 2600 tokens/);
      expect(model.requests.length).toBe(before);
    },
    TIMEOUT,
  );
});

describe("a step's time", () => {
  it(
    "U1 U2 U3 ends a scaffold as any agent, is told to the operator, and what stands behind it falls with it",
    async () => {
      const page = join(world.out, "page.md");
      const output = join(world.out, "notes.md");
      const plan = {
        steps: [
          {
            ...{ id: "fetch", role: "fetcher", ttl: { max_wall_clock_s: 1 } },
            params: { url: pages.url("/slow"), output: page },
          },
          {
            ...{ id: "read", role: "analyzer", depends_on: ["fetch"] },
            params: { inputs: [page], question: "What?", output },
          },
        ],
        final_output: output,
      };
      await start({
        match: { system: PLANNER },
        reply: (request) => (isReplan(request) ? "I know no way around it." : JSON.stringify(plan)),
      });
      world.put("etc/aaos/agentd.yaml", "");
      const shown = await world.cli([
        "submit",
        `Read ${pages.url("/slow")}`,
        "--orchestration",
        "plan",
      ]);
      expect(shown.code).toBe(1);
      const { runs } = await world.json<{ runs: { run_id: string }[] }>(["list", "--all"]);
      const events = await world.events(runs[0]?.run_id ?? "");
      const expired = events.filter(({ kind }) => kind === "subtask_ttl_expired");
      expect(expired).toMatchObject([
        { subtask_id: "fetch", reason: "wall_clock_exceeded" },
        { subtask_id: "read", reason: "dependency_ttl_cascade" },
      ]);
      expect(events.find(({ kind }) => kind === "agent_stopped")).toMatchObject({
        reason: "timeout",
      });
      // The page would have come after eight seconds.
      const [first] = events.filter(({ kind }) => kind === "subtask_started");
      const took = Date.parse(String(expired[0]?.["time"])) - Date.parse(String(first?.["time"]));
      expect(took).toBeLessThan(7_000);
      expect(`${shown.stdout}${shown.stderr}`).toMatch(/fetch.*(time|ttl)/i);
    },
    TIMEOUT,
  );

  it(
    "U1 a step whose hops are used up is not begun",
    async () => {
      const output = join(world.out, "notes.md");
      const plan = {
        steps: [
          { id: "one", role: "talker", params: {} },
          { id: "two", role: "talker", params: {}, depends_on: ["one"], ttl: { max_hops: 1 } },
        ],
        final_output: output,
      };
      role("talker", "");
      await start(
        {
          match: { system: PLANNER },
          reply: (request) => (isReplan(request) ? "I know no other way." : JSON.stringify(plan)),
        },
        { reply: "It is done." },
      );
      const shown = await world.cli(["submit", "Talk twice", "--orchestration", "plan"]);
      expect(shown.code).toBe(1);
      const { runs } = await world.json<{ runs: { run_id: string }[] }>(["list", "--all"]);
      const events = await world.events(runs[0]?.run_id ?? "");
      expect(events.filter(({ kind }) => kind === "subtask_ttl_expired")).toMatchObject([
        { subtask_id: "two", reason: "hops_exhausted" },
      ]);
      const agents = events.filter(({ kind }) => kind === "agent_spawned");
      expect(agents.map(({ step_id }) => step_id)).toEqual(["one"]);
    },
    TIMEOUT,
  );
});

describe("a step that is tried again", () => {
  const LADDER = (retry: string) =>
    `model: fast\nmodel_ladder: [fast, scripted-2, scripted-3]\nretry: ${retry}\ncapabilities: []`;
  const fails: ScriptedRule = { match: { model: "scripted-1" }, reply: "ERROR: too hard for me" };

  it(
    "A24-12 goes up the ladder of models, judged by this run's events, and the status says by which model it was done",
    async () => {
      role("climber", LADDER("{max_attempts: 3, on: [step_failed]}"));
      await start(
        fails,
        {
          match: { model: "scripted-2" },
          reply: { text: "half of", finish: "length" },
        },
        { reply: "It is done." },
      );
      const run = await submit("--role", "climber");
      expect(await ended(run)).toMatchObject({ state: "succeeded", final_text: "It is done." });
      const events = await world.events(run);
      const raised = events.filter(({ kind }) => kind === "subtask_model_escalated");
      expect(raised).toMatchObject([
        { from_model: "fast", to_model: "scripted-2", reason: "replan_retry" },
        { from_model: "scripted-2", to_model: "scripted-3" },
      ]);
      const born = events.filter(({ kind }) => kind === "agent_spawned");
      expect(born.map((event) => event["model"])).toEqual([
        "scripted-1",
        "scripted-2",
        "scripted-3",
      ]);
    },
    TIMEOUT,
  );

  it(
    "A24-12 goes up for what its role heeds alone: replies that were cut off, and the same call again and again",
    async () => {
      role(
        "climber",
        `${LADDER("{max_attempts: 4, on: [step_failed]}")}\nescalate_on: [max_tokens, tool_repeat_guard]`.replace(
          "capabilities: []",
          'capabilities: ["tool: echo"]',
        ),
      );
      const echo = { tool_calls: [{ name: "echo", input: { message: "again" } }] };
      await start(
        { ...fails, times: 1 },
        { match: { model: "scripted-1" }, reply: { text: "half of", finish: "length" } },
        {
          match: { model: "scripted-2" },
          reply: ({ tool_results }) => (tool_results.length < 4 ? echo : "ERROR: I go in circles"),
        },
        { reply: "It is done." },
      );
      const run = await submit("--role", "climber");
      expect((await ended(run)).state).toBe("succeeded");
      const events = await world.events(run);
      const raised = events.filter(({ kind }) => kind === "subtask_model_escalated");
      expect(raised).toMatchObject([
        { from_tier: 0, to_model: "scripted-2", reason: "max_tokens" },
        { from_tier: 1, to_model: "scripted-3", reason: "tool_repeat_guard" },
      ]);
      expect(events.filter(({ kind }) => kind === "subtask_started")).toHaveLength(4);
    },
    TIMEOUT,
  );

  it(
    "is tried again for the kinds of errors that `retry.on` names, and for no other",
    async () => {
      role("climber", LADDER("{max_attempts: 3, on: [output_missing]}"));
      await start(fails, { reply: "It is done." });
      const run = await submit("--role", "climber");
      expect(await ended(run)).toMatchObject({ state: "failed", error: { kind: "step_failed" } });
      const started = (await world.events(run)).filter(({ kind }) => kind === "subtask_started");
      expect(started).toHaveLength(1);
    },
    TIMEOUT,
  );

  it(
    "A24-7 another run's trouble with a step of the same name raises nothing here",
    async () => {
      role("climber", LADDER("{max_attempts: 2, on: [step_failed]}"));
      await start({ ...fails, times: 1 }, { reply: "It is done." });
      const first = await submit("--role", "climber");
      await ended(first);
      const second = await submit("--role", "climber");
      await ended(second);
      const raises = async (id: string) =>
        (await world.events(id)).filter(({ kind }) => kind === "subtask_model_escalated").length;
      expect([await raises(first), await raises(second)]).toEqual([1, 0]);
    },
    TIMEOUT,
  );
});
