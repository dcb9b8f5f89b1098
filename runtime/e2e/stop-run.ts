import { setTimeout as sleep } from "node:timers/promises";
import { connectTo } from "../cli/client.js";
import { isRunEnded, RunState } from "../protocol/run.js";
import { processesWith } from "../test/confined-agent.js";
import { type ScriptedModel, startScriptedModel } from "../test/scripted-model.js";
import { waitFor } from "./wait.js";
import { makeWorld, useModel, type World } from "./world.js";

/** In the middle of what a run is stopped. */
export type StopMoment = "tool" | "model" | "spawn";

export interface StopReport {
  readonly moment: StopMoment;
  /** From the request to the answer, and to the moment at which no process of the run was left, seen from outside. */
  readonly answered_ms: number;
  readonly gone_ms: number;
  readonly state: string;
}

export interface StopWorld extends AsyncDisposable {
  readonly stop: (moment: StopMoment, number: number) => Promise<StopReport>;
  /** A run whose agent takes turn after turn, until its time is over; resolves when it has begun. */
  readonly beginTalk: () => Promise<{
    readonly turns: () => Promise<number>;
    readonly end: () => Promise<string>;
  }>;
}

const ROLE = (dir: string) => `name: sleeper
system_prompt: Sleeps.
message_template: "{what}"
parameters: {what: {type: string, required: true}}
orchestration: {max_iterations: 500}
capabilities: ["tool: echo", "exec: sleep", "file_read: ${dir}/*", "file_write: ${dir}/*"]
`;

/** A daemon whose runs sleep, in a program or in their model, each for a time of its own, by which its processes are known. */
export async function stopWorld(): Promise<StopWorld> {
  const world: World = await makeWorld();
  const talk = { isOver: false };
  const model: ScriptedModel = await startScriptedModel({
    rules: [
      { match: { any: "in the model" }, delayMs: 60_000, reply: "late" },
      {
        match: { any: "talk on" },
        delayMs: 50,
        reply: ({ tool_results }) =>
          talk.isOver
            ? "It is said."
            : { tool_calls: [{ name: "echo", input: { message: `${tool_results.length}` } }] },
      },
      {
        reply: ({ all }) => {
          const seconds = /sleep (\S+)/.exec(all)?.[1] ?? "60";
          const input = { program: "sleep", args: [seconds], cwd: world.out };
          return { tool_calls: [{ name: "exec", input }] };
        },
      },
    ],
  });
  useModel(world, "openai", model.openai_url);
  world.put(
    "etc/aaos/policy.yaml",
    `${world.read("etc/aaos/policy.yaml")}exec: {allow: [sleep]}\n`,
  );
  world.put("etc/aaos/roles/sleeper.yaml", ROLE(world.out));
  await world.start();
  return {
    beginTalk: async () => {
      const client = connectTo(world.socket);
      const { run_id } = await client.call("run.submit", {
        ...{ goal: "talk on", role: "sleeper", orchestration: "direct" },
        params: { what: "talk on" },
      });
      const turns = async () =>
        (await world.events(run_id)).filter(({ kind }) => kind === "usage_reported").length;
      await waitFor("the first turn", async () => ((await turns()) > 0 ? true : undefined));
      const end = async () => {
        talk.isOver = true;
        return waitFor("the end", async () => {
          const { state } = await client.call("run.get", { run_id });
          return isRunEnded(RunState.parse(state)) ? state : undefined;
        });
      };
      return { turns, end };
    },
    stop: (moment, number) =>
      stopOne(world, model, moment, `600.${String(number).padStart(4, "0")}`),
    [Symbol.asyncDispose]: async () => {
      await world[Symbol.asyncDispose]();
      await model.close();
    },
  };
}

async function stopOne(
  world: World,
  model: ScriptedModel,
  moment: StopMoment,
  seconds: string,
): Promise<StopReport> {
  const client = connectTo(world.socket);
  const what = moment === "model" ? `in the model ${seconds}` : `sleep ${seconds}`;
  const asked = model.requests.length;
  const { run_id } = await client.call("run.submit", {
    ...{ goal: what, role: "sleeper", orchestration: "direct", params: { what } },
  });
  if (moment === "tool")
    await waitFor("the program", async () =>
      (await processesWith(seconds)).length > 0 ? true : undefined,
    );
  else {
    await waitFor("the model", () => (model.requests.length > asked ? true : undefined));
    // The program is launched some ten milliseconds after the model's answer.
    if (moment === "spawn") await sleep(Math.random() * 60);
  }
  const started = performance.now();
  await client.call("run.cancel", { run_id });
  const answered_ms = performance.now() - started;
  await waitFor("nothing left", async () =>
    (await processesWith(seconds)).length === 0 ? true : undefined,
  );
  const gone_ms = performance.now() - started;
  const { state } = await client.call("run.get", { run_id });
  return { moment, answered_ms, gone_ms, state };
}
