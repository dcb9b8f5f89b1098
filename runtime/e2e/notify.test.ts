import { once } from "node:events";
import { existsSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { openMachine } from "../appliance/machine.js";
import { tellDaemon } from "../appliance/tell-daemon.js";
import type { Notice } from "../control/notify/notice.js";
import type { MachineStory } from "../protocol/event-machine.js";
import { portOf } from "../test/egress-world.js";
import { type ScriptedModel, startScriptedModel } from "../test/scripted-model.js";
import { waitFor } from "./wait.js";
import { KEY, lines, makeWorld, useModel, type World } from "./world.js";

const TIMEOUT = 120_000;

let world: World;
let model: ScriptedModel;
let receiver: Server;
let bodies: string[];
let answers: boolean;

beforeEach(async () => {
  world = await makeWorld();
  bodies = [];
  answers = true;
  receiver = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      bodies.push(Buffer.concat(chunks).toString("utf8"));
      if (answers) response.writeHead(204).end();
    });
  }).listen(0, "127.0.0.1");
  await once(receiver, "listening");
  model = await startScriptedModel({
    rules: [
      { match: { system: /fails/ }, reply: { text: "ERROR: the page is gone" } },
      {
        match: { system: /asks/ },
        reply: ({ tool_results }) =>
          tool_results.length > 0
            ? { text: "Done." }
            : { tool_calls: [{ name: "echo", input: { message: "not to be told" } }] },
      },
    ],
  });
  useModel(world, "openai", model.openai_url);
  world.put(
    "etc/aaos/roles/fails.yaml",
    "name: fails\nsystem_prompt: It fails.\nmessage_template: Go.\n",
  );
  world.put(
    "etc/aaos/roles/asks.yaml",
    "name: asks\nsystem_prompt: It asks.\nmessage_template: Go.\ncapabilities: ['tool: echo']\napproval_required: [echo]\n",
  );
});

afterEach(async () => {
  await world[Symbol.asyncDispose]();
  await model.close();
  receiver.closeAllConnections();
  receiver.close();
});

async function startTelling(settings: string): Promise<void> {
  world.put("etc/aaos/agentd.yaml", settings);
  await world.start();
}

/** A run that fails, then one that waits for an approval; their ids. */
async function failAndAsk(): Promise<{ readonly failed: string; readonly asking: string }> {
  const submit = async (role: string) => {
    const goal = `Try ${role} with ${KEY}`;
    return (await world.cli(["submit", goal, "--role", role, "--detach"])).stdout.trim();
  };
  const failed = await submit("fails");
  await waitForState(failed, "failed");
  const asking = await submit("asks");
  await waitForState(asking, "waiting_approval");
  return { failed, asking };
}

const waitForState = (run: string, state: string) =>
  waitFor(`${run} to be ${state}`, async () => {
    const now = (await world.json<{ run: { state: string } }>(["status", run])).run.state;
    return now === state || undefined;
  });

const like = (pattern: RegExp) => expect.stringMatching(pattern) as unknown;

function expectBoth(told: readonly Notice[], failed: string, asking: string): void {
  expect(told).toEqual([
    {
      kind: "run_failed",
      run_id: failed,
      time: like(/^\d{4}-.*Z$/),
      text: like(new RegExp(`^run ${failed} failed: `)),
      goal: like(/^Try fails with .*redacted/i),
      reason: like(/the page is gone/),
      error: like(/^[a-z_]+$/),
    },
    {
      kind: "approval_waiting",
      run_id: asking,
      time: like(/^\d{4}-.*Z$/),
      text: like(/asks wants to call echo.*agentd approve [0-9A-Z]{26}/),
      goal: like(/^Try asks with .*redacted/i),
      approval_id: like(/^[0-9A-Z]{26}$/),
      subject: "tool",
      tool: "echo",
      capability: null,
      expires_at: like(/^\d{4}-.*Z$/),
    },
  ]);
}

it(
  "a webhook gets one JSON object for a run that failed and for an approval that waits; no secret and no argument is in it",
  async () => {
    await startTelling(`notify: {webhook: "http://127.0.0.1:${portOf(receiver)}/hook"}\n`);
    const { failed, asking } = await failAndAsk();
    await waitFor("both notices", () => bodies.length >= 2 || undefined);
    expectBoth(
      bodies.map((body) => JSON.parse(body) as Notice),
      failed,
      asking,
    );
    expect(bodies.join("")).not.toContain(KEY);
    expect(bodies.join("")).not.toContain("not to be told");
    const { approval_id } = JSON.parse(bodies[1] ?? "") as { approval_id: string };
    expect((await world.cli(["approve", approval_id])).code).toBe(0);
    await waitForState(asking, "succeeded");
    expect(bodies).toHaveLength(2);
  },
  TIMEOUT,
);

it(
  "a webhook outside is reached through the operator's proxy",
  async () => {
    const asked: string[] = [];
    const proxy = createServer().listen(0, "127.0.0.1");
    proxy.on("connect", (request, socket, head) => {
      asked.push(request.url ?? "");
      const onward = connect(portOf(receiver), "127.0.0.1", () => {
        socket.write("HTTP/1.1 200 OK\r\n\r\n");
        onward.write(head);
        onward.pipe(socket).pipe(onward);
      });
      onward.on("error", () => socket.destroy());
      socket.on("error", () => onward.destroy());
    });
    await once(proxy, "listening");
    try {
      await startTelling(
        `proxy: "http://127.0.0.1:${portOf(proxy)}"\nnotify: {webhook: "http://hooks.example/t0ken"}\n`,
      );
      await failAndAsk();
      await waitFor("both notices", () => bodies.length >= 2 || undefined);
      expect(new Set(asked)).toEqual(new Set(["hooks.example:80"]));
      expect(world.daemon().stdout()).not.toContain("t0ken");
    } finally {
      await world.stop();
      proxy.closeAllConnections();
      proxy.close();
    }
  },
  TIMEOUT,
);

it(
  "a command gets the JSON on its standard input, its arguments as they are, and nothing but PATH in its environment",
  async () => {
    const told = join(world.root, "told");
    const environment = join(world.root, "environment");
    const script = world.put(
      "tell",
      `#!/bin/sh\ncat >>"$1"\n/usr/bin/env >"$2"\n[ "$3" = 'a b; $HOME' ]\n`,
      0o755,
    );
    await startTelling(
      `notify: {command: ["${script}", "${told}", "${environment}", 'a b; $HOME']}\n`,
    );
    const { failed, asking } = await failAndAsk();
    const both = await waitFor("both notices", () => {
      const now = existsSync(told) ? lines(world.read("told")) : [];
      return now.length >= 2 ? now : undefined;
    });
    expectBoth(both as unknown as readonly Notice[], failed, asking);
    const { stdout } = await world.stop();
    expect(stdout).not.toContain("not delivered");
    const names = world
      .read("environment")
      .split("\n")
      .map((line) => line.split("=")[0] ?? "");
    // PWD and the like are the shell's own.
    expect(names.filter((name) => !["", "PWD", "SHLVL", "_", "OLDPWD"].includes(name))).toEqual([
      "PATH",
    ]);
  },
  TIMEOUT,
);

it(
  "receivers that are gone, silent or broken harm nothing: runs go on, the daemon stops, the log tells what was not delivered",
  async () => {
    answers = false;
    await startTelling(
      `notify: {webhook: "http://127.0.0.1:${portOf(receiver)}/t0ken", command: [/nonexistent/tell]}\n`,
    );
    const { asking } = await failAndAsk();
    await waitFor("the first notice", () => bodies[0]);
    const { pending } = await world.json<{ pending: { id: string }[] }>(["approvals"]);
    await world.cli(["approve", pending[0]?.id ?? ""]);
    await waitForState(asking, "succeeded");
    const { code, stdout } = await world.stop();
    expect(code).toBe(0);
    const undelivered = lines(stdout).filter(
      (line) => line["msg"] === "a notice was not delivered",
    );
    const of = (name: string) =>
      undelivered.filter((line) => line["receiver"] === name).map((line) => line["err"]);
    expect(of("command /nonexistent/tell")).toEqual([
      expect.stringMatching(/does not start: .*ENOENT/),
      expect.stringMatching(/does not start: .*ENOENT/),
    ]);
    expect(of(`webhook 127.0.0.1:${portOf(receiver)}`)).toHaveLength(2);
    expect(of(`webhook 127.0.0.1:${portOf(receiver)}`).at(-1)).toBe("the daemon stopped first");
    expect(stdout).not.toContain("t0ken");
  },
  TIMEOUT,
);

it(
  "a slot that was left is in the trail and is told, and so is an upgrade that is kept; no daemon, no note",
  async () => {
    const machine = openMachine(world.root);
    const { signal } = new AbortController();
    const left: MachineStory = {
      kind: "slot_fallback",
      ...{ from: "B", to: "A", version: "2.0.0", reason: "agentd.service has failed" },
    };
    expect(await tellDaemon(machine, left, signal)).toBe(false);
    await startTelling(`notify: {webhook: "http://127.0.0.1:${portOf(receiver)}/hook"}\n`);
    expect(await tellDaemon(machine, left, signal)).toBe(true);
    const kept = { kind: "slot_confirmed", slot: "B", version: "2.0.1" } as const;
    expect(await tellDaemon(machine, kept, signal)).toBe(true);
    await waitFor("both notices", () => bodies.length >= 2 || undefined);
    expect(bodies.map((body) => JSON.parse(body) as Notice)).toMatchObject([
      { kind: "upgrade_left", version: "2.0.0", reason: "agentd.service has failed" },
      { kind: "upgrade_kept", version: "2.0.1" },
    ]);
    const trail = await world.cli(["audit", "query", "--kind", "slot_fallback"]);
    expect(trail.stdout).toContain(
      "slot B (version 2.0.0) was left for A: agentd.service has failed",
    );
  },
  TIMEOUT,
);
