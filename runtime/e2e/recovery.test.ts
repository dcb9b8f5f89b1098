import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { processesWith } from "../test/confined-agent.js";
import { type ScriptedModel, startScriptedModel } from "../test/scripted-model.js";
import type { ScriptedRule } from "../test/scripted-script.js";
import { article, type PageServer, startPages } from "./page-server.js";
import { GENERALIST, scriptedTeam } from "./scripted-team.js";
import { waitFor } from "./wait.js";
import { makeWorld, useModel, type WireLine, type World } from "./world.js";

const TIMEOUT = 120_000;

let world: World;
let pages: PageServer;
let model: ScriptedModel | undefined;

beforeEach(async () => {
  world = await makeWorld();
  pages = await startPages({
    "/a": { body: article("A", ["Apples are red."]) },
    "/b": { body: article("B", ["Bananas are yellow."]) },
  });
});

afterEach(async () => {
  await world[Symbol.asyncDispose]();
  await pages.close();
  await model?.close();
  model = undefined;
});

async function startWith(...rules: readonly ScriptedRule[]): Promise<ScriptedModel> {
  model = await startScriptedModel({ rules });
  useModel(world, "openai", model.openai_url);
  await world.start();
  return model;
}

async function submit(...args: readonly string[]): Promise<string> {
  const ended = await world.cli(["submit", ...args, "--detach"]);
  return ended.stdout.trim();
}

/** Kills the daemon as a crash would, and starts the next. */
async function crash(): Promise<void> {
  world.daemon().kill("SIGKILL");
  await world.daemon().ended;
  await world.start();
}

async function eventsUntil(
  run: string,
  what: string,
  found: (events: readonly WireLine[]) => boolean,
) {
  return waitFor(what, async () => {
    const events = await world.events(run);
    return found(events) ? events : undefined;
  });
}

const ended = (events: readonly WireLine[]) =>
  events.some(
    ({ kind, to }) => kind === "run_state_changed" && /succeeded|failed|cancelled/.test(String(to)),
  );

async function verified(): Promise<void> {
  expect(await world.cli(["audit", "verify"])).toMatchObject({ code: 0 });
}

describe("a daemon that is killed", () => {
  it(
    "leaves a run that the next one carries to its end; no finished step begins again",
    async () => {
      await startWith(...scriptedTeam(400));
      const output = join(world.out, "report.md");
      const run = await submit(`Compare ${pages.url("/a")} ${pages.url("/b")} and write ${output}`);
      await eventsUntil(run, "a finished step", (events) =>
        events.some(({ kind, success }) => kind === "subtask_completed" && success === true),
      );
      await crash();
      const events = await eventsUntil(run, "the end", ended);
      expect(readFileSync(output, "utf8")).toMatch(/Apples are red[\s\S]*Bananas are yellow/);
      expect(events.some(({ kind }) => kind === "run_recovered")).toBe(true);
      const started = events.filter(({ kind }) => kind === "subtask_started");
      expect(new Set(started.map(({ subtask_id }) => subtask_id)).size).toBe(started.length);
      expect(events.at(-1)).toMatchObject({ to: "succeeded" });
      await verified();
    },
    TIMEOUT,
  );

  it(
    "leaves a call whose outcome nobody knows: the model is told so, and it is not repeated in silence",
    async () => {
      const marks = join(world.out, "marks");
      const slow = {
        name: "exec",
        input: { program: "sh", args: ["-c", `echo x >> ${marks}; sleep 61.25`], cwd: world.out },
      };
      world.put(
        "etc/aaos/policy.yaml",
        `${world.read("etc/aaos/policy.yaml")}exec: {allow: [sh, sleep]}\n`,
      );
      world.put(
        "etc/aaos/roles/runner.yaml",
        `name: runner\nsystem_prompt: Runs one program.\nmessage_template: "{what}"\nparameters: {what: {type: string, required: true}}\ncapabilities: ["exec: sh", "exec: sleep", "file_write: ${world.out}/*", "file_read: ${world.out}/*"]\n`,
      );
      const server = await startWith(
        { match: { tool_result: /outcome is unknown/ }, reply: "It ran once." },
        { reply: { tool_calls: [slow] } },
      );
      const run = await submit("Run it", "--role", "runner", "--param", "what=it");
      await waitFor("the mark", () => {
        try {
          return readFileSync(marks, "utf8");
        } catch {
          return undefined;
        }
      });
      await crash();
      // Before anything is taken up, what the other daemon left running is gone.
      expect(await processesWith("61.25")).toEqual([]);
      const events = await eventsUntil(run, "the end", ended);
      expect(events.at(-1)).toMatchObject({ to: "succeeded" });
      expect(readFileSync(marks, "utf8")).toBe("x\n");
      expect(events.filter(({ kind }) => kind === "tool_invoked")).toHaveLength(1);
      expect(events.filter(({ kind }) => kind === "tool_result")).toMatchObject([
        { success: false },
      ]);
      expect(server.requests).toHaveLength(2);
      await verified();
    },
    TIMEOUT,
  );

  it(
    "and one that is stopped in good order ends no run",
    async () => {
      await startWith({ match: { system: GENERALIST }, delayMs: 1_500, reply: "Here it is." });
      const run = await submit("Look at it", "--orchestration", "direct");
      await eventsUntil(run, "an agent at work", (events) =>
        events.some(({ kind }) => kind === "agent_execution_started"),
      );
      expect(await world.stop()).toMatchObject({ code: 0 });
      await world.start();
      const events = await eventsUntil(run, "the end", ended);
      expect(events.at(-1)).toMatchObject({ to: "succeeded" });
      expect(events.filter(({ kind }) => kind === "agent_spawned")).toHaveLength(1);
      await verified();
    },
    TIMEOUT,
  );
});

describe("a run that is paused", () => {
  const TURN = { tool_calls: [{ name: "echo", input: { message: "on" } }] };

  /** Paused in the middle of its first turn; the model would answer it much later. */
  async function paused(): Promise<{ run: string; server: ScriptedModel }> {
    const server = await startWith(
      { match: { system: GENERALIST }, delayMs: 20_000, times: 1, reply: TURN },
      { match: { system: GENERALIST }, reply: "Here it is." },
    );
    const run = await submit("Look at it", "--orchestration", "direct");
    await waitFor("the turn under way", () => (server.requests.length === 1 ? true : undefined));
    expect(await world.cli(["pause", run.slice(-8)])).toMatchObject({ code: 0 });
    return { run, server };
  }

  it(
    "A24-32 finishes no new turn, stays paused over a restart, and goes on from there when it is resumed",
    async () => {
      const { run, server } = await paused();
      await crash();
      const { runs } = await world.json<{ runs: { state: string; paused: string }[] }>(["list"]);
      expect(runs.map(({ state }) => state)).toEqual(["paused"]);
      expect(runs[0]?.paused).toMatch(/^paused by/);
      expect((await world.cli(["status", run])).stdout).toMatch(/paused by uid/);
      const asked = server.requests.length;
      expect(asked).toBe(1);
      expect(await world.json(["resume", run])).toEqual({ resumed: run });
      const events = await eventsUntil(run, "the end", ended);
      expect(events.at(-1)).toMatchObject({ to: "succeeded" });
      expect(events.filter(({ kind }) => kind === "agent_spawned")).toHaveLength(1);
      await verified();
    },
    TIMEOUT,
  );

  it(
    "can be stopped: its step, its agent and every token end in the journal",
    async () => {
      const { run } = await paused();
      expect(await world.cli(["stop", run])).toMatchObject({ code: 0 });
      const events = await world.events(run);
      expect(events.at(-1)).toMatchObject({ to: "cancelled" });
      const granted = events.filter(({ kind }) => kind === "capability_granted").length;
      expect(events.filter(({ kind }) => kind === "capability_revoked")).toHaveLength(granted);
      expect(events.filter(({ kind }) => kind === "agent_stopped")).toHaveLength(1);
      expect((await world.cli(["pause", run])).code).toBe(1);
      await verified();
    },
    TIMEOUT,
  );
});
