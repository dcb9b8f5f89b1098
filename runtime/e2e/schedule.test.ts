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
  await add("* * * * * *", "Say it each second");
  await add("+1s", "Say it once");
  await world.stop();
  await new Promise((resolve) => setTimeout(resolve, 3_100));
  await world.start();
  await until(async () =>
    (await journal("schedule_fired")).some((fired) => Number(fired["missed"]) > 0),
  );
  await until(async () => (await runs()).some(({ goal }) => goal === "Say it once"));
  const fired = await journal("schedule_fired");
  const late = fired.filter(({ missed }) => Number(missed) > 0);
  expect(late).toHaveLength(1);
  expect(late[0]).toMatchObject({ started_run: expect.any(String) as string });
  expect((await runs()).filter(({ goal }) => goal === "Say it once")).toHaveLength(1);
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
  expect(await refused("+1h")).toEqual([2, expect.stringMatching(/the goal is empty/)]);
  expect(await schedules("--all")).toEqual([]);
});
