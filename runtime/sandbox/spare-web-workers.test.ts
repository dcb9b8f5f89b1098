import { readFileSync } from "node:fs";
import type { Server } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { ConfinementPlan } from "../protocol/confinement.js";
import { NATIVE_BUILD } from "../test/confined.js";
import { openTestAgent, processesWith, type TestAgent, testBase } from "../test/confined-agent.js";
import { httpServer, portOf } from "../test/egress-world.js";
import { granted } from "../test/tool-context.js";
import { loadAddon } from "./addon.js";
import type { Machine } from "./confined-agent.js";
import { SpareWebWorkers } from "./spare-web-workers.js";
import { startSpawner } from "./spawner.js";

const PROGRAM_DIR = fileURLToPath(new URL("..", import.meta.url)).replace(/\/$/, "");
const SCRIPT = join(PROGRAM_DIR, "web-worker.js");

/** Web workers below a process, however many other tests have theirs. */
async function workersBelow(ancestor: number): Promise<readonly number[]> {
  const all = await processesWith(SCRIPT);
  return all.filter((pid) => isBelow(pid, ancestor));
}

function isBelow(pid: number, ancestor: number): boolean {
  for (let at = pid; at > 1; ) {
    if (at === ancestor) return true;
    try {
      at = Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${at}/status`, "utf8"))?.[1]);
    } catch {
      return false;
    }
  }
  return false;
}

async function until<T>(look: () => Promise<T>, done: (seen: T) => boolean): Promise<T> {
  for (;;) {
    const seen = await look();
    if (done(seen)) return seen;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

let server: Server;
let agent: TestAgent;
beforeAll(async () => {
  server = await httpServer((_, response) => response.end("hello"));
  const host = `127.0.0.1:${portOf(server)}`;
  agent = await openTestAgent(await testBase(), {
    grants: [`network: ${host}`, "file_write: {base}/out/page.md"],
    network: ["127.0.0.1"],
  });
});
afterAll(async () => {
  await agent[Symbol.asyncDispose]();
  expect(await workersBelow(process.pid)).toEqual([]);
  server.close();
});

describe("a spare web worker", () => {
  it("is started before there is a page to fetch, and becomes the worker of the agent that fetches one", async () => {
    agent.confinement.prepareWeb(2);
    const spares = await until(
      () => workersBelow(process.pid),
      (pids) => pids.length === 2,
    );
    const result = await agent.call("web_fetch", { url: `http://127.0.0.1:${portOf(server)}/` });
    expect(result).toMatchObject({ ok: true, output: { body: "hello" } });
    expect(await workersBelow(process.pid)).toEqual(spares);
  });

  it("reaches what its agent's tokens name and nothing else", async () => {
    const url = "http://127.0.0.1:9/";
    const proof = granted({ kind: "network", host: "127.0.0.1", port: 9 });
    const request = { url, max_bytes: 100, timeout_ms: 5_000, as: "markdown" } as const;
    const refused = await agent.unchecked().web.fetch(proof, request, new AbortController().signal);
    expect(refused).toMatchObject({
      ok: false,
      kind: "denied",
      denial: { capability: "network: 127.0.0.1:9" },
    });
  });
});

describe("spare web workers", () => {
  let machine: Machine;
  let plans: ConfinementPlan[];
  let spares: SpareWebWorkers;
  const open = (idleMs: number) => {
    const addon = loadAddon(join(NATIVE_BUILD, "aaos.node"));
    const spawner = startSpawner({ binary: join(NATIVE_BUILD, "aaos-spawn"), addon });
    machine = { addon, spawner, egress: {} as Machine["egress"] };
    plans = [];
    spares = new SpareWebWorkers({
      machine,
      idleMs,
      compile: async (cgroup_name) => {
        const trees = [PROGRAM_DIR, join(PROGRAM_DIR, "../node_modules")];
        const compiled = await agent.confinement.compile(
          { kind: "web", script: SCRIPT, args: [], trees, cgroup_name },
          { capabilities: [{ kind: "web_search" }], ceiling: agent.agent.ceiling },
        );
        if (compiled.ok) plans.push(compiled.plan);
        return compiled;
      },
    });
  };
  beforeEach(() => open(60_000));
  afterEach(async () => {
    await spares.close();
    await machine.spawner.close();
    expect(await ours()).toEqual([]);
  });
  const ours = () => workersBelow(machine.spawner.pid);
  const planOf = (): ConfinementPlan => {
    const [plan] = plans;
    if (plan === undefined) throw new Error("nothing was compiled");
    return plan;
  };

  it("are taken once each, by an agent whose plan is theirs in everything but the cgroup's name", async () => {
    spares.prepare(1);
    await until(ours, (pids) => pids.length === 1);
    const plan = planOf();
    expect(spares.take({ ...plan, umask: 0 })).toBeUndefined();
    expect(spares.take({ ...plan, listeners: [] })).toBeUndefined();
    const taken = spares.take({ ...plan });
    expect(taken?.plan).toEqual(plan);
    expect(spares.take({ ...plan })).toBeUndefined();
    taken?.stdio.discard();
    for (const fd of taken?.child.listeners ?? []) machine.addon.closeFd(fd);
    taken?.child.kill();
    await taken?.child.exited;
  });

  it("are ended where nobody takes them, and one that died is not given out", async () => {
    await spares.close();
    await machine.spawner.close();
    open(1_500);
    spares.prepare(2);
    await until(ours, (pids) => pids.length === 2);
    await until(ours, (pids) => pids.length === 0);
    expect(spares.take(planOf())).toBeUndefined();
  });

  it("are as many as were asked for, those that are starting counted", async () => {
    spares.prepare(1);
    spares.prepare(2);
    spares.prepare(2);
    await until(ours, (pids) => pids.length === 2);
    expect(plans).toHaveLength(2);
  });
});
