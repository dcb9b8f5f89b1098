import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { connectTo } from "../cli/client.js";
import type { AgentSummary } from "../protocol/control.js";
import { type ScriptedModel, startScriptedModel } from "../test/scripted-model.js";
import type { ScriptedRequest, ScriptedRule } from "../test/scripted-script.js";
import { waitFor } from "./wait.js";
import { lines, makeWorld, useModel, type WireLine, type World } from "./world.js";

let world: World;
let model: ScriptedModel;
beforeEach(async () => {
  world = await makeWorld();
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
  await model.close();
});

/** What the last user said, and how much came before it. */
function said(request: ScriptedRequest): string {
  const { messages } = request.body as { messages: { role: string; content: string }[] };
  return messages
    .filter(({ role }) => role === "user")
    .map(({ content }) => content)
    .join(" | ");
}

async function start(...rules: readonly ScriptedRule[]): Promise<void> {
  model = await startScriptedModel({ rules: [...rules, { reply: (request) => said(request) }] });
  useModel(world, "openai", model.openai_url);
  await world.start();
}

function manifest(name: string, more: string): string {
  return world.put(
    `${name}.yaml`,
    `name: ${name}\nmodel: fast\nsystem_prompt: You are ${name}.\n${more}`,
  );
}

async function spawn(file: string): Promise<string> {
  return (await world.json<{ agent_id: string }>(["agents", "spawn", file])).agent_id;
}

async function send(agent: string, ...words: readonly string[]) {
  const ended = await world.cli(["agents", "send", agent, ...words]);
  return ended.code === 0 ? ended.stdout.trimEnd() : `${String(ended.code)}: ${ended.stderr}`;
}

async function agents(...args: readonly string[]): Promise<readonly AgentSummary[]> {
  return (await world.json<{ agents: AgentSummary[] }>(["list", ...args])).agents;
}

async function journal(agent: string, ...kinds: readonly string[]): Promise<readonly WireLine[]> {
  const { stdout } = await world.cli(["audit", "export", "--agent", agent, "--kind", ...kinds]);
  return lines(stdout);
}

describe("an agent that lives on", () => {
  it("keeps its id, its conversation and its tokens over restarts, and ends when it is stopped", async () => {
    await start();
    const id = await spawn(
      manifest("keeper", `lifecycle: persistent\ncapabilities: ["file_read: ${world.out}/*"]\n`),
    );
    expect(await send("keeper", "one")).toBe("one");
    expect(await send(id.slice(-6), "two")).toBe("one | two");
    await world.stop();
    await world.start();
    expect(await send("keeper", "three")).toBe("one | two | three");
    expect(await agents()).toMatchObject([
      {
        agent_id: id,
        state: "running",
        capability_count: 1,
        lifecycle: "persistent",
        run_id: null,
      },
    ]);
    expect((await world.cli(["stop", id])).code).toBe(0);
    expect(await agents()).toEqual([]);
    expect(await agents("--all")).toMatchObject([{ state: "stopped", capability_count: 0 }]);
    const events = await journal(id, "agent_loop_stopped", "capability_revoked", "agent_stopped");
    expect(events.map(({ kind }) => kind)).toEqual([
      "agent_loop_stopped",
      "capability_revoked",
      "agent_stopped",
    ]);
    expect((await world.cli(["audit", "verify"])).code).toBe(0);
  });

  it("A22-40 has one loop: messages are answered one after the other, in their order", async () => {
    await start({ delayMs: 100, reply: (request) => said(request) });
    await spawn(manifest("keeper", "lifecycle: persistent\n"));
    const sent = ["a", "b", "c", "d"].map((text) => world.cli(["agents", "send", "keeper", text]));
    const answers = (await Promise.all(sent)).map(({ stdout }) => stdout.trim());
    expect(model.maxInFlight()).toBe(1);
    expect(answers.map((answer) => answer.split(" | ").length).sort()).toEqual([1, 2, 3, 4]);
    const refused = await world.cli(["agents", "send", "keeper", "--no-wait", "e"]);
    expect(refused.code).toBe(0);
  });

  it("takes up the message that it was at work on when the daemon was killed", async () => {
    await start({ times: 1, reply: { fault: "hang" } });
    const id = await spawn(manifest("keeper", "lifecycle: persistent\n"));
    await world.cli(["agents", "send", "keeper", "--no-wait", "first"]);
    await world.cli(["agents", "send", "keeper", "--no-wait", "second"]);
    await waitFor("the call", () => (model.inFlight() > 0 ? true : undefined));
    world.daemon().kill("SIGKILL");
    await world.daemon().ended;
    await world.start();
    const answered = await waitFor("both answers", async () => {
      const all = await journal(id, "message_answered");
      return all.length === 2 ? all : undefined;
    });
    expect(answered.map(({ response }) => response)).toEqual(["first", "first | second"]);
    expect((await world.cli(["audit", "verify"])).code).toBe(0);
  });

  it("tells a sender that its mailbox is full", async () => {
    world.put("etc/aaos/agentd.yaml", "agent: {mailbox: 2}\n");
    await start({ reply: { fault: "hang" } });
    await spawn(manifest("keeper", "lifecycle: persistent\n"));
    const post = () => world.cli(["agents", "send", "keeper", "--no-wait", "more"]);
    expect((await post()).code).toBe(0);
    await waitFor("the call", () => (model.inFlight() > 0 ? true : undefined));
    expect((await post()).code).toBe(0);
    expect((await post()).code).toBe(0);
    const full = await post();
    expect(full.code).toBe(1);
    expect(full.stderr).toMatch(/the mailbox of keeper is full[\s\S]*2 messages wait for it/);
    expect(await agents()).toMatchObject([{ mailbox: 2 }]);
  });

  it("A22-38 forgets what was said where its session is cleared, and the journal keeps it", async () => {
    await start();
    const id = await spawn(manifest("keeper", "lifecycle: persistent\n"));
    await send("keeper", "one");
    expect((await world.cli(["agents", "clear", "keeper"])).code).toBe(0);
    expect(await send("keeper", "two")).toBe("two");
    await world.stop();
    await world.start();
    expect(await send("keeper", "three")).toBe("two | three");
    expect(await journal(id, "message_appended")).toHaveLength(7);
  });

  it("A24-32 can be paused and resumed, at work and over a restart", async () => {
    await start({ match: { last: /^slow/ }, delayMs: 1_500, reply: "slowly" });
    const id = await spawn(manifest("keeper", "lifecycle: persistent\n"));
    await world.cli(["agents", "send", "keeper", "--no-wait", "slow"]);
    await waitFor("the call", () => (model.inFlight() > 0 ? true : undefined));
    expect((await world.cli(["pause", id])).code).toBe(0);
    expect(await agents()).toMatchObject([{ state: "paused" }]);
    await world.cli(["agents", "send", "keeper", "--no-wait", "later"]);
    await world.stop();
    await world.start();
    expect(await agents()).toMatchObject([{ state: "paused", mailbox: 1 }]);
    expect((await world.cli(["resume", id])).code).toBe(0);
    const answered = await waitFor("both answers", async () => {
      const all = await journal(id, "message_answered");
      return all.length === 2 ? all : undefined;
    });
    expect(answered.map(({ response }) => response)).toEqual(["slowly", "slow | later"]);
  });

  it("is begun again, later each time, while its model cannot be reached, and then gives up", async () => {
    world.put("etc/aaos/agentd.yaml", "agent: {restart: {max_restarts: 2, backoff_s: 0.05}}\n");
    await start(
      { match: { last: "patience" }, times: 2, reply: { fault: "status", status: 503 } },
      { match: { last: "hopeless" }, reply: { fault: "status", status: 503 } },
    );
    world.put(
      "etc/aaos/providers.yaml",
      world.read("etc/aaos/providers.yaml").replace("slots: 8", "slots: 8, max_retries: 0"),
    );
    await world.stop();
    await world.start();
    const id = await spawn(manifest("keeper", "lifecycle: persistent\n"));
    expect(await send("keeper", "patience")).toBe("patience");
    const stops = await journal(id, "agent_loop_stopped");
    expect(stops.map(({ reason }) => /begins again in (\d+) ms/.exec(String(reason))?.[1])).toEqual(
      ["50", "100"],
    );
    expect(await send("keeper", "hopeless")).toMatch(/^1: agentd: error: overloaded/);
    expect(await send("keeper", "and now")).toBe("patience | hopeless | and now");
  });
});

describe("an agent of no run whose manifest names tools that need approval", () => {
  const file = () => join(world.out, "a.txt");
  const writes = (request: ScriptedRequest) => {
    const last = request.tool_results.at(-1);
    return last === undefined
      ? { tool_calls: [{ name: "file_write", input: { path: file(), content: "written\n" } }] }
      : last;
  };
  const writer = () =>
    manifest(
      "keeper",
      `lifecycle: persistent\ncapabilities: ["file_write: ${world.out}/*"]\napproval_required: [file_write]\n`,
    );
  const pending = async () =>
    (await world.json<{ pending: { id: string; run_id: string | null }[] }>(["approvals"])).pending;
  const firstPending = () => waitFor("an approval", async () => (await pending())[0]);

  it("A13 waits for an operator with nobody attached, over a daemon that is killed, and goes on when it is approved", async () => {
    await start({ reply: writes });
    const id = await spawn(writer());
    await world.cli(["agents", "send", "keeper", "--no-wait", "Write it"]);
    const asked = await firstPending();
    expect(asked).toMatchObject({ run_id: null, agent_id: id, tool: "file_write" });
    expect(existsSync(file())).toBe(false);
    world.daemon().kill("SIGKILL");
    await world.daemon().ended;
    await world.start();
    expect(await pending()).toMatchObject([{ id: asked.id }]);
    await world.json(["approve", asked.id]);
    await waitFor("the answer", async () =>
      (await journal(id, "message_answered")).length > 0 ? true : undefined,
    );
    expect(readFileSync(file(), "utf8")).toBe("written\n");
    expect((await journal(id, "human_approval_requested")).length).toBe(1);
    expect((await world.cli(["audit", "verify"])).code).toBe(0);
  }, 120_000);

  it("A13 is told of a denial, and what waits of one that is stopped is denied", async () => {
    await start({ reply: writes });
    const id = await spawn(writer());
    const sent = world.cli(["agents", "send", "keeper", "Write it"]);
    await world.json(["deny", (await firstPending()).id, "--reason", "not today"]);
    expect((await sent).stdout).toMatch(/did not approve this call: not today/);
    await world.cli(["stop", id]);
    const next = await spawn(writer());
    await world.cli(["agents", "send", next, "--no-wait", "Write it"]);
    await firstPending();
    await world.cli(["stop", next]);
    expect(await pending()).toEqual([]);
    expect(await journal(next, "human_approval_denied")).toMatchObject([
      { reason: "the agent that asked has ended" },
    ]);
    expect(existsSync(file())).toBe(false);
  }, 120_000);
});

describe("the budget of a manifest", () => {
  it("A22-20 is not made new by a restart within its period, and is by the next period", async () => {
    const usage = { input: 900, output: 100 };
    await start({ reply: (request) => ({ text: said(request), usage }) });
    const id = await spawn(
      manifest(
        "keeper",
        "lifecycle: persistent\nbudget_config: {max_tokens: 1100, reset_period_seconds: 86400}\n",
      ),
    );
    expect(await send("keeper", "one")).toBe("one");
    await world.stop();
    await world.start();
    expect(await send("keeper", "two")).toMatch(/agent keeper has used 1000 of its 1100 tokens/);
    expect((await journal(id, "usage_reported")).length).toBe(1);
    expect((await world.cli(["status", id])).stdout).toMatch(
      /budget .*\d+% {2}1\.0k of 1\.1k tokens/,
    );
    const brief = manifest(
      "brief",
      "lifecycle: persistent\nbudget_config: {max_tokens: 1100, reset_period_seconds: 5}\n",
    );
    await spawn(brief);
    expect(await send("brief", "one")).toBe("one");
    await world.stop();
    await new Promise((resolve) => setTimeout(resolve, 5_000));
    await world.start();
    expect(await send("brief", "two")).toBe("one | two");
  }, 120_000);
});

describe("an agent for single messages", () => {
  it("answers each anew, and stays until it is stopped", async () => {
    await start();
    await spawn(manifest("helper", "lifecycle: on-demand\n"));
    expect(await send("helper", "one")).toBe("one");
    expect(await send("helper", "two")).toBe("two");
    expect(await agents()).toMatchObject([{ name: "helper", state: "running" }]);
  });
});

describe("A2 the socket's methods for agents", () => {
  const SEED = readFileSync(
    join(import.meta.dirname, "../../packaging/manifests/research-agent.yaml"),
    "utf8",
  );

  it("spawn, run, list, status, tool.invoke and stop answer with the seed's fields", async () => {
    await start();
    const call = async <T>(method: string, params: object): Promise<T> => {
      const client = connectTo(world.socket);
      return (await client.call(method as "agent.run", params as never)) as T;
    };
    const { agent_id } = await call<{ agent_id: string }>("agent.spawn", { manifest: SEED });
    expect(await call("agent.run", { agent_id, message: "hello" })).toEqual({
      trace_id: expect.any(String) as string,
      status: "delivered",
    });
    const { agents: all } = await call<{ agents: AgentSummary[] }>("agent.list", {});
    expect(all[0]).toMatchObject({
      name: "research-agent",
      model: "scripted-1",
      parent_agent: null,
    });
    expect(await call("agent.status", { agent_id })).toMatchObject({ agent_id });
    expect(
      await call("tool.invoke", { agent_id, tool: "file_read", input: { path: "/etc/hostname" } }),
    ).toMatchObject({ result: { error: { kind: "denied", layer: "token" } } });
    expect(await call("agent.stop", { agent_id })).toEqual({ ok: true, agent_id });
    await expect(
      call("agent.spawn_and_run", { manifest: SEED, message: "hello" }),
    ).rejects.toMatchObject({ code: "usage" });
    expect(await agents()).toEqual([]);
    const helper = "name: helper\nmodel: fast\nsystem_prompt: Help.\n";
    expect(await call("agent.spawn_and_run", { manifest: helper, message: "hello" })).toMatchObject(
      {
        response: "hello",
        iterations: 1,
        stop_reason: "complete",
        usage: { input_tokens: expect.any(Number) as number },
      },
    );
    expect(await agents()).toMatchObject([{ name: "helper" }]);
  });
});
