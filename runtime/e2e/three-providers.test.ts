import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ScriptedModel, startScriptedModel } from "../test/scripted-model.js";
import { article, type PageServer, startPages } from "./page-server.js";
import { scriptedTeam } from "./scripted-team.js";
import { KEY, lines, makeWorld, useModel, type WireLine, type World } from "./world.js";

const TIMEOUT = 120_000;
const ANSI = String.fromCharCode(27);

interface Report {
  readonly run: {
    readonly run_id: string;
    readonly state: string;
    readonly final_output: string;
    readonly documents: readonly string[];
    readonly confinement: readonly string[] | null;
    readonly usage: {
      readonly input_tokens: number;
      readonly output_tokens: number;
      readonly usd: number;
    };
    readonly steps: readonly {
      readonly step_id: string;
      readonly role: string;
      readonly state: string;
      readonly depends_on: readonly string[];
      readonly agent_id: string;
      readonly started_at: string;
      readonly ended_at: string;
      readonly outputs: readonly string[];
    }[];
  };
}

describe.each(["builtin", "openai", "anthropic"] as const)("the goal by %s", (provider) => {
  let world: World;
  let pages: PageServer;
  let model: ScriptedModel | undefined;
  let output = "";
  let stdout = "";
  let runId = "";
  let events: readonly WireLine[] = [];

  beforeAll(async () => {
    world = await makeWorld();
    pages = await startPages({
      "/landlock.html": {
        body: article("Landlock", [
          "Landlock is a security module of the Linux kernel that lets a process restrict itself to some directories.",
          "Landlock rules speak of kernel objects and cannot filter system calls of a process.",
        ]),
      },
      "/seccomp.html": {
        body: article("Seccomp", [
          "Seccomp is a facility of the Linux kernel that filters the system calls of a process.",
          "Seccomp filters cannot follow pointers, so that path names stay unseen by the filter.",
        ]),
      },
    });
    if (provider !== "builtin") {
      model = await startScriptedModel({ rules: scriptedTeam(), requireKey: KEY });
      useModel(world, provider, provider === "openai" ? model.openai_url : model.url);
    }
    await world.start();
    output = join(world.out, "compare.md");
    const ended = await world.cli([
      "submit",
      `Fetch ${pages.url("/landlock.html")} and ${pages.url("/seccomp.html")}, compare them, write ${output}`,
    ]);
    expect(ended).toMatchObject({ code: 0, stderr: "" });
    stdout = ended.stdout;
    const { runs } = await world.json<{ runs: { run_id: string }[] }>(["list", "--all"]);
    runId = runs[0]?.run_id ?? "";
    events = await world.events(runId);
  }, TIMEOUT);

  afterAll(async () => {
    await world[Symbol.asyncDispose]();
    await pages.close();
    await model?.close();
  });

  it("leaves the document with what both pages say, and prints its path and first lines", () => {
    const document = readFileSync(output, "utf8");
    expect(document).toMatch(/Landlock/);
    expect(document).toMatch(/Seccomp/);
    expect(document).toContain(pages.url("/landlock.html"));
    expect(document).toContain(pages.url("/seccomp.html"));
    expect(stdout).toContain(output);
    expect(stdout).toContain(document.split("\n")[0]);
    if (provider === "builtin") expect(document).toMatch(/builtin|no (language )?model/i);
  });

  it("prints plain lines where the output is piped: no escape codes", () => {
    expect(stdout).not.toContain(ANSI);
    expect(stdout).toMatch(/^\[\d\d:\d\d:\d\d\] /);
  });

  it("asks each page once and each model call once", () => {
    expect(pages.hits("/landlock.html")).toBe(1);
    expect(pages.hits("/seccomp.html")).toBe(1);
    if (model !== undefined) expect(model.requests).toHaveLength(1 + 3 * 3);
  });

  it("keeps the plan beside the run's files: two fetchers side by side, two analyzers, one writer", () => {
    const dir = join(world.root, "var/lib/aaos/workspace", runId);
    const plan = JSON.parse(readFileSync(join(dir, "plan.json"), "utf8")) as {
      steps: { id: string; role: string; depends_on: string[] }[];
      final_output: string;
    };
    expect(plan.steps.map(({ role }) => role).sort()).toEqual([
      "analyzer",
      "analyzer",
      "fetcher",
      "fetcher",
      "writer",
    ]);
    expect(plan.final_output).toBe(output);
    const fetchers = plan.steps.filter(({ role }) => role === "fetcher");
    expect(fetchers.every(({ depends_on }) => depends_on.length === 0)).toBe(true);
    expect(plan.steps.find(({ role }) => role === "writer")?.depends_on).toHaveLength(2);
  });

  it("numbers its events in order, each with the run's id and an actor, parents before children", () => {
    const seqs = events.map(({ seq }) => seq);
    expect(seqs).toEqual([...seqs].sort((a, b) => a - b));
    const known = new Set(seqs);
    for (const event of events) {
      expect(event.run_id, event.kind).toBe(runId);
      expect(event.actor, event.kind).not.toBe("");
      if (event.parent !== undefined) {
        expect(event.parent).toBeLessThan(event.seq);
        expect(known.has(event.parent), `parent of ${event.kind}`).toBe(true);
      }
    }
    const kinds = events.map(({ kind }) => kind);
    expect(kinds[0]).toBe("run_submitted");
    expect(kinds.at(-1)).toBe("run_state_changed");
    const order = [
      "run_submitted",
      "plan_produced",
      "subtask_started",
      "agent_spawned",
      "run_result",
    ];
    const firsts = order.map((kind) => kinds.indexOf(kind));
    expect(firsts).toEqual([...firsts].sort((a, b) => a - b));
    expect(kinds.filter((kind) => kind === "subtask_completed")).toHaveLength(5);
  });

  it("gives every tool result its call as parent, and both the agent as actor", () => {
    const calls = new Map(
      events.filter(({ kind }) => kind === "tool_invoked").map((event) => [event.seq, event]),
    );
    const results = events.filter(({ kind }) => kind === "tool_result");
    expect(results.length).toBeGreaterThanOrEqual(4);
    for (const result of results) {
      const call = calls.get(result.parent ?? 0);
      expect(call?.["call_id"]).toBe(result["call_id"]);
      expect(call?.agent_id).toBe(result.agent_id);
      expect([call?.actor, result.actor]).toEqual(["agent", "agent"]);
    }
  });

  it("starts a step when its own dependencies have succeeded", () => {
    const at = (kind: string, step: string) =>
      events.find((event) => event.kind === kind && event["subtask_id"] === step)?.seq ?? -1;
    const plan = events.find(({ kind }) => kind === "plan_produced")?.["plan"] as {
      steps: { id: string; depends_on: string[] }[];
    };
    for (const step of plan.steps)
      for (const dependency of step.depends_on)
        expect(at("subtask_completed", dependency)).toBeLessThan(at("subtask_started", step.id));
  });

  it("status tells state, steps, usage, and what confines it", async () => {
    const { run } = await world.json<Report>(["status", runId]);
    expect(run).toMatchObject({ run_id: runId, state: "succeeded", final_output: output });
    expect(run.documents).toContain(output);
    expect(run.steps.map(({ state }) => state)).toEqual(Array(5).fill("succeeded"));
    expect(run.confinement?.some((layer) => /^landlock \d/.test(layer))).toBe(true);
    if (provider === "builtin") expect(run.usage.input_tokens).toBe(0);
    else {
      expect(run.usage.input_tokens).toBe(10 + 3 * 600);
      expect(run.usage.output_tokens).toBe(5 + 3 * 130);
      expect(run.usage.usd).toBeCloseTo((1_810 * 1 + 395 * 2) / 1e6, 9);
    }
    const text = await world.cli(["status", runId.slice(-6)]);
    expect(text.code).toBe(0);
    expect(text.stdout).toContain("succeeded");
    expect(text.stdout).toMatch(/STEP +ROLE +STATE/);
    const agentId = run.steps[0]?.agent_id ?? "";
    const agent = await world.json<{ agent: { state: string; tokens: unknown[] } }>([
      "status",
      agentId,
    ]);
    expect(agent.agent.state).toBe("stopped");
    expect(agent.agent.tokens.length).toBeGreaterThan(0);
  });

  it("list is empty when nothing runs; list --all has the run and its agents", async () => {
    expect(await world.json(["list"])).toEqual({ runs: [], agents: [] });
    const all = await world.json<{ runs: unknown[]; agents: unknown[] }>(["list", "--all"]);
    expect(all.runs).toHaveLength(1);
    expect(all.agents).toHaveLength(5);
    const text = await world.cli(["list", "--all"]);
    expect(text.stdout).toContain(runId.slice(-8));
    expect(text.stdout).not.toContain(ANSI);
  });

  it("result gives the document to the terminal, to a file, and as JSON", async () => {
    const document = readFileSync(output, "utf8");
    const shown = await world.cli(["result", runId]);
    expect(shown.stdout).toBe(document.endsWith("\n") ? document : `${document}\n`);
    const copy = join(world.root, "copy.md");
    expect((await world.cli(["result", runId, "-o", copy])).code).toBe(0);
    expect(readFileSync(copy, "utf8")).toBe(document);
    const report = await world.json<{ documents: { path: string; text: string }[] }>([
      "result",
      runId,
    ]);
    expect(report.documents[0]).toMatchObject({ path: output, text: document });
  });

  it("logs replays the run, for people and as NDJSON frames", async () => {
    const text = await world.cli(["logs", runId]);
    expect(text.stdout).toMatch(/plan: 5 steps/);
    const raw = await world.cli(["logs", runId, "--json"]);
    const frames = lines(raw.stdout);
    expect(frames.filter(({ kind }) => kind === "event").length).toBe(events.length);
    const followed = lines((await world.cli(["logs", runId, "-f", "--json"])).stdout);
    expect(followed.at(-1)).toMatchObject({ kind: "end", exit_code: 0, run_id: runId });
  });

  it("audit verify, query, export and tail agree on a whole journal", async () => {
    const verified = await world.json<{ ok: boolean; events: number }>(["audit", "verify"]);
    expect(verified.ok).toBe(true);
    const exported = lines((await world.cli(["audit", "export"])).stdout);
    expect(exported).toHaveLength(verified.events);
    const file = join(world.root, "audit.jsonl");
    expect((await world.cli(["audit", "export", "-o", file])).code).toBe(0);
    expect(existsSync(file)).toBe(true);
    expect(lines(readFileSync(file, "utf8"))).toEqual(exported);
    const queried = await world.cli(["audit", "query", "--kind", "plan_produced", "--json"]);
    expect(lines(queried.stdout)).toHaveLength(1);
    const tail = world.begin(["audit", "tail", "--limit", "5", "--json"]);
    await tail.until(/run_state_changed/);
    tail.kill("SIGINT");
    const ended = await tail.ended;
    expect(ended.code).toBe(0);
    expect(lines(ended.stdout)).toHaveLength(5);
  });
});
