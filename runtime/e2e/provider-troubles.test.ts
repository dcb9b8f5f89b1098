import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  type ScriptedModel,
  type ScriptedOptions,
  startScriptedModel,
} from "../test/scripted-model.js";
import { article, type PageServer, startPages } from "./page-server.js";
import { ANALYZER, comparison, goalOf, PLANNER, scriptedTeam } from "./scripted-team.js";
import { KEY, makeWorld, useModel, type World } from "./world.js";

const TIMEOUT = 120_000;

let world: World;
let pages: PageServer;
let model: ScriptedModel | undefined;

beforeEach(async () => {
  world = await makeWorld();
  pages = await startPages({ "/a": { body: article("Alpha", ["Alpha was measured in 1901."]) } });
});

afterEach(async () => {
  await world[Symbol.asyncDispose]();
  await pages.close();
  await model?.close();
  model = undefined;
});

async function withModel(
  options: ScriptedOptions,
  more: { readonly key?: string; readonly provider?: string } = {},
): Promise<ScriptedModel> {
  model = await startScriptedModel(options);
  useModel(world, "openai", model.openai_url, more);
  await world.start();
  return model;
}

const goal = () => `Fetch ${pages.url("/a")}, write ${join(world.out, "a.md")}`;
const submit = () => world.cli(["submit", goal()]);

describe("a provider that cannot be used", () => {
  it(
    "a dead one: exit code 1, its address, what to look at; the daemon lives on",
    async () => {
      useModel(world, "openai", "http://127.0.0.1:9/v1", { provider: ", max_retries: 1" });
      await world.start();
      const ended = await submit();
      expect(ended.code).toBe(1);
      expect(ended.stderr).toMatch(/provider_unavailable/);
      expect(ended.stderr).toMatch(/refused|127\.0\.0\.1:9/i);
      expect(ended.stderr).toMatch(/agentd doctor/);
      expect((await world.cli(["list"])).code).toBe(0);
    },
    TIMEOUT,
  );

  it(
    "A22-3 a wrong key: exit code 1 and the remedy, after one call; the key is shown nowhere",
    async () => {
      const wrong = "sk-wrong-9876543210abcdef";
      const server = await withModel({ rules: scriptedTeam(), requireKey: KEY }, { key: wrong });
      const ended = await submit();
      expect(ended.code).toBe(1);
      expect(ended.stderr).toMatch(/provider_refused/);
      expect(ended.stderr).toMatch(/key/i);
      expect(ended.stderr).toMatch(/agentd configure/);
      expect(server.requests).toHaveLength(0);
      const exported = await world.cli(["audit", "export"]);
      expect(exported.stdout + ended.stdout + ended.stderr + world.daemon().stdout()).not.toContain(
        wrong,
      );
    },
    TIMEOUT,
  );

  it(
    "A24-7 a key refused in the middle of a run is fatal: no replan is burnt, and one call is made",
    async () => {
      const server = await withModel({
        rules: [
          { match: { system: ANALYZER }, reply: { fault: "status", status: 401 } },
          ...scriptedTeam(),
        ],
      });
      const ended = await submit();
      expect(ended.code).toBe(1);
      expect(ended.stderr).toMatch(/provider_refused/);
      expect(server.requests.filter(({ system }) => PLANNER.test(system))).toHaveLength(1);
      expect(server.requests.filter(({ system }) => ANALYZER.test(system))).toHaveLength(1);
      expect(ended.stdout).not.toMatch(/planning again/);
    },
    TIMEOUT,
  );

  it(
    "A24-28 one that hangs is given up after its timeout, with the reason",
    async () => {
      await withModel(
        { rules: [{ reply: { fault: "hang" } }] },
        { provider: ", timeout_s: 1, max_retries: 1" },
      );
      const ended = await submit();
      expect(ended.code).toBe(1);
      expect(ended.stderr).toMatch(/provider_unavailable/);
      expect(ended.stderr).toMatch(/1 ?s|time/i);
      expect(ended.stdout).toMatch(/attempt 1|did not answer/);
    },
    TIMEOUT,
  );

  it(
    "A24-28 one that is busy is asked again, and the run succeeds",
    async () => {
      const server = await withModel({
        rules: [
          { times: 1, reply: { fault: "status", status: 429, retry_after: 0 } },
          { match: { system: ANALYZER }, times: 1, reply: { fault: "status", status: 500 } },
          { match: { system: ANALYZER }, times: 1, reply: { fault: "cut" } },
          ...scriptedTeam(),
        ],
      });
      const ended = await submit();
      expect(ended).toMatchObject({ code: 0, stderr: "" });
      expect(server.requests.length).toBe(1 + 6 + 3);
    },
    TIMEOUT,
  );
});

describe("a planner that answers badly", () => {
  it(
    "A24-5 a bad first plan goes back with its faults, and the next is carried out",
    async () => {
      const server = await withModel({
        rules: [
          {
            match: { system: PLANNER },
            times: 1,
            reply:
              '{"steps": [{"id": "x", "role": "magician", "params": {}}], "final_output": "/x.md"}',
          },
          ...scriptedTeam(),
        ],
      });
      const ended = await submit();
      expect(ended).toMatchObject({ code: 0, stderr: "" });
      const [, second] = server.requests.filter(({ system }) => PLANNER.test(system));
      expect(second?.all).toMatch(/there is no role "magician"/);
      expect(ended.stdout).toMatch(/plan rejected.*magician/);
    },
    TIMEOUT,
  );

  it(
    "A24-5 braces inside a string of the plan do no harm",
    async () => {
      await withModel({
        rules: [
          {
            match: { system: PLANNER },
            reply: (request) => {
              const plan = comparison(goalOf(request));
              const steps = plan.steps.map((step) =>
                step.role === "analyzer"
                  ? { ...step, params: { ...step.params, question: "What is {this} }}{ about?" } }
                  : step,
              );
              return `Here is the plan: {not it}\n${JSON.stringify({ ...plan, steps })}\nDone }`;
            },
          },
          ...scriptedTeam(),
        ],
        structured: [],
      });
      expect(await submit()).toMatchObject({ code: 0, stderr: "" });
    },
    TIMEOUT,
  );

  it(
    "three bad plans end the run with invalid_plan, exit code 1, and what was wrong",
    async () => {
      const server = await withModel({
        rules: [{ match: { system: PLANNER }, reply: '{"steps": [], "final_output": ""}' }],
      });
      const ended = await submit();
      expect(ended.code).toBe(1);
      expect(ended.stderr).toMatch(/invalid_plan/);
      expect(ended.stderr).toMatch(/steps/);
      expect(server.requests).toHaveLength(3);
      expect((await world.cli(["list"])).code).toBe(0);
    },
    TIMEOUT,
  );

  it.each([
    [
      "a cycle",
      [
        { id: "a", on: ["b"] },
        { id: "b", on: ["a"] },
      ],
      /wait for each other/,
    ],
    ["an unknown dependency", [{ id: "a", on: ["z"] }], /"z", which is no step/],
    ["the same id twice", [{ id: "a" }, { id: "a" }], /used twice/],
  ])(
    "%s is told to the planner",
    async (_what, steps, says) => {
      const bad = {
        steps: steps.map(({ id, ...rest }, index) => ({
          id,
          role: "fetcher",
          params: { url: pages.url("/a"), output: `{run}/${index}.md` },
          depends_on: "on" in rest ? rest.on : [],
        })),
        final_output: "{run}/0.md",
      };
      const server = await withModel({
        rules: [
          { match: { system: PLANNER }, times: 1, reply: JSON.stringify(bad) },
          ...scriptedTeam(),
        ],
      });
      expect(await submit()).toMatchObject({ code: 0 });
      expect(server.requests[1]?.all).toMatch(says);
    },
    TIMEOUT,
  );
});

describe("a daemon that is killed", () => {
  it(
    "leaves a journal that verifies, and the next one goes on with what was under way",
    async () => {
      pages.set("/a", { body: "", hang: true });
      await withModel({ rules: scriptedTeam() });
      const { stdout } = await world.cli(["submit", goal(), "--detach"]);
      const client = world.begin(["logs", stdout.trim(), "-f"]);
      await client.until(/web_fetch/);
      world.daemon().kill("SIGKILL");
      await world.daemon().ended;
      expect((await client.ended).code).toBe(3);
      expect(client.stderr()).toMatch(new RegExp(stdout.trim()));
      pages.set("/a", { body: "<p>There it is.</p>" });
      await world.start();
      const attached = await world.cli(["logs", stdout.trim(), "-f"]);
      expect(attached.code).toBe(0);
      const { run } = await world.json<{ run: { state: string; steps: { state: string }[] } }>([
        "status",
        stdout.trim(),
      ]);
      expect(run.state).toBe("succeeded");
      expect(run.steps.every(({ state }) => state === "succeeded")).toBe(true);
      expect((await world.json<{ agents: unknown[] }>(["list"])).agents).toEqual([]);
      expect((await world.cli(["audit", "verify"])).code).toBe(0);
    },
    TIMEOUT,
  );
});
