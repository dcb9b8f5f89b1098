import { afterEach, beforeEach, expect, it } from "vitest";
import type { RunSummary } from "../protocol/control.js";
import type { ScheduleSummary } from "../protocol/schedule.js";
import { type ScriptedModel, startScriptedModel } from "../test/scripted-model.js";
import { waitFor } from "./wait.js";
import { lines, makeWorld, useModel, type WireLine, type World } from "./world.js";

let world: World;
let model: ScriptedModel;
beforeEach(async () => {
  world = await makeWorld();
  model = await startScriptedModel({ rules: [{ reply: "It is done." }] });
  useModel(world, "openai", model.openai_url);
  await world.start();
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
  await model.close();
});

const until = (look: () => Promise<boolean>): Promise<true> =>
  waitFor("the schedule", async () => ((await look()) ? true : undefined));

const add = (...args: readonly string[]): Promise<ScheduleSummary> =>
  world.json(["schedule", "add", ...args, "--orchestration", "direct"]);

async function schedules(...args: readonly string[]): Promise<readonly ScheduleSummary[]> {
  return (await world.json<{ schedules: ScheduleSummary[] }>(["schedule", "list", ...args]))
    .schedules;
}

async function runs(): Promise<readonly RunSummary[]> {
  return (await world.json<{ runs: RunSummary[] }>(["list", "--all"])).runs;
}

async function journal(...kinds: readonly string[]): Promise<readonly WireLine[]> {
  const { stdout } = await world.cli(["audit", "export", "--kind", ...kinds]);
  return lines(stdout);
}

it("a goal for later is carried out when its time comes, once, as whoever added it", async () => {
  const added = await add("+1s", "Say that it is done");
  expect(added).toMatchObject({ when: { kind: "at" }, times_fired: 0 });
  await until(async () => (await runs())[0]?.state === "succeeded");
  expect(await runs()).toMatchObject([
    { goal: "Say that it is done", owner_uid: process.getuid?.() ?? null },
  ]);
  const [run] = await runs();
  expect(await schedules()).toEqual([]);
  expect(await schedules("--all")).toMatchObject([
    { next_at: null, times_fired: 1, last_run_id: run?.run_id, last_problem: null },
  ]);
});

it("a cron expression comes again and again, until it is removed", async () => {
  const { schedule_id } = await add("* * * * * *", "Say it again");
  await until(async () => (await runs()).length >= 2);
  const removed = await world.cli(["schedule", "remove", schedule_id.slice(-6)]);
  expect(removed.stdout).toBe(`removed ${schedule_id}\n`);
  expect(await schedules()).toEqual([]);
  const [last] = await schedules("--all");
  expect(last?.removed_at).not.toBeNull();
  expect((await world.cli(["audit", "verify"])).code).toBe(0);
});

it("what was due while no daemon ran is done once when one runs again", async () => {
  const seconds = [8, 9, 10].map((after) => new Date(Date.now() + after * 1_000).getSeconds());
  await add(`${seconds.sort((x, y) => x - y).join(",")} * * * * *`, "Say it each second");
  await add("+8s", "Say it once");
  await world.stop();
  await new Promise((resolve) => setTimeout(resolve, 11_000));
  await world.start();
  await until(async () => (await journal("schedule_fired")).length === 2);
  const fired = await journal("schedule_fired");
  expect(fired.map(({ missed }) => missed).sort()).toEqual([0, 2]);
  for (const { started_run } of fired) expect(started_run).toEqual(expect.any(String));
  expect((await runs()).map(({ goal }) => goal).sort()).toEqual([
    "Say it each second",
    "Say it once",
  ]);
});

it("one whose last run still goes on lets its time pass, and says so", async () => {
  await model.close();
  model = await startScriptedModel({ rules: [{ reply: { fault: "hang" } }] });
  await world.stop();
  useModel(world, "openai", model.openai_url);
  await world.start();
  await add("* * * * * *", "Take your time");
  await until(async () => (await journal("schedule_skipped")).length > 0);
  const [skipped] = await journal("schedule_skipped");
  expect(skipped?.["reason"]).toMatch(/still goes on/);
  expect(await runs()).toHaveLength(1);
});

it("a message goes to an agent that lives, or to a new one of that manifest, once a time, and never to another user's", async () => {
  world.put(
    "etc/aaos/manifests/daily.yaml",
    "name: daily\nmodel: fast\nsystem_prompt: You are daily.\nlifecycle: scheduled\n",
  );
  await world.stop();
  await world.start();
  const message = (when: string, agent: string, text: string) =>
    world.json<ScheduleSummary>(["schedule", "add", when, "--agent", agent, text]);
  await message("+1s", "daily", "What is new?");
  const answered = () => journal("message_answered");
  await until(async () => (await answered()).length === 1);
  const { agents } = await world.json<{ agents: { agent_id: string; name: string }[] }>(["list"]);
  expect(agents).toMatchObject([{ name: "daily" }]);
  const id = agents[0]?.agent_id ?? "";
  expect(await journal("schedule_fired")).toMatchObject([{ to_agent: id, missed: 0 }]);
  expect(await journal("agent_message_received")).toMatchObject([
    { agent_id: id, method: "schedule", text: "What is new?" },
  ]);
  // By its name, and by the end of its id: the same agent, with what was said before.
  const again = await message("* * * * * *", id.slice(-6), "And now?");
  expect(again.target).toEqual({ kind: "message", agent: id, text: "And now?" });
  await until(async () => (await answered()).length >= 3);
  await world.cli(["schedule", "remove", again.schedule_id]);
  expect((await journal("agent_spawned")).length).toBe(1);
  expect(model.requests.at(-1)?.all).toContain("What is new?");
  expect(await runs()).toEqual([]);
  const refused = await world.cli(["schedule", "add", "+1h", "--agent", "nobody", "Hello"]);
  expect([refused.code, refused.stderr.split("\n")[0]]).toEqual([
    2,
    expect.stringMatching(/nobody/),
  ]);
  const odd = await world.cli([
    "schedule",
    "add",
    "+1h",
    "--agent",
    "daily",
    "Hi",
    "--max-tokens",
    "9",
  ]);
  expect([odd.code, odd.stderr.split("\n")[0]]).toEqual([
    2,
    expect.stringMatching(/--max-tokens is for goals/),
  ]);
}, 120_000);

it("a time or a goal that cannot be is refused at once", async () => {
  const refused = async (...args: readonly string[]) => {
    const { code, stderr } = await world.cli(["schedule", "add", ...args]);
    return [code, stderr.split("\n")[0]];
  };
  expect(await refused("at noon", "Eat")).toEqual([
    2,
    expect.stringMatching(/'at noon' is neither a time nor a cron expression/),
  ]);
  expect(await refused("+1h", "Eat", "--role", "cook")).toEqual([
    2,
    expect.stringMatching(/no role "cook"/),
  ]);
  expect(await refused("0 8 * * *", "--timezone", "Mars/One", "Eat")).toEqual([
    2,
    expect.stringMatching(/'Mars\/One' is no time zone/),
  ]);
  expect(await refused("+1h")).toEqual([2, expect.stringMatching(/the goal is empty/)]);
  expect(await schedules("--all")).toEqual([]);
  const odd = await world.cli(["audit", "query", "--kind", "schedule_add"]);
  expect([odd.code, odd.stderr.split("\n")[0]]).toEqual([
    2,
    expect.stringMatching(/no kind 'schedule_add'; did you mean schedule_added\?/),
  ]);
  expect((await world.cli(["audit", "query", "--kind", "schedule_fired"])).code).toBe(0);
});
