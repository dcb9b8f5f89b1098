import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { loadRoles } from "../catalog/roles.js";
import { EventBody } from "../protocol/event.js";
import { Plan } from "../protocol/plan.js";
import { planSystemPrompt, planUserPrompt } from "../runs/plan-prompt.js";
import { rawClient } from "../test/raw-client.js";
import { article, startPages } from "./page-server.js";
import { makeWorld } from "./world.js";

const TIMEOUT = 60_000;
const ROLES = fileURLToPath(new URL("../../packaging/roles", import.meta.url));

const vendor = loadRoles([{ dir: ROLES, origin: "vendor" }]);

const KINDS_OF_THE_SEED = [
  ...["agent_spawned", "agent_stopped", "capability_granted", "capability_denied"],
  ...["capability_revoked", "tool_invoked", "tool_result", "tool_repeat"],
  ...["tool_repeat_guard_fired", "message_sent", "message_delivered"],
  ...["human_approval_requested", "human_approval_granted", "human_approval_denied"],
  ...["usage_reported", "agent_execution_started", "agent_execution_completed"],
  ...["agent_loop_started", "agent_loop_stopped", "agent_message_received"],
  ...["context_summarized", "context_summarization_failed", "memory_stored", "memory_queried"],
  ...["session_store_error", "orchestration_selected", "plan_produced", "plan_replanned"],
  ...["subtask_started", "subtask_completed", "subtask_ttl_expired", "subtask_model_escalated"],
  "subtask_output_missing",
];

describe("what the system of the seed does, ours does", () => {
  it(
    "A1 one program is daemon and CLI; a daemon that starts again still knows what has ended",
    async () => {
      await using world = await makeWorld();
      await world.start();
      expect((await world.cli(["submit", "make me happy"])).code).toBe(1);
      const before = await world.json(["list", "--all"]);
      expect((await world.stop()).code).toBe(0);
      await world.start();
      expect(await world.json(["list", "--all"])).toEqual(before);
      expect((await world.cli(["audit", "verify"])).code).toBe(0);
    },
    TIMEOUT,
  );

  it(
    "A2 the socket speaks JSON-RPC by lines; a stream is frames that end with end and the connection",
    async () => {
      await using world = await makeWorld();
      const pages = await startPages({ "/a": { body: article("Alpha", ["Alpha is first."]) } });
      try {
        await world.start();
        using one = await rawClient(world.socket);
        one.request("run.list", {}, "x");
        expect(await one.next()).toEqual({ jsonrpc: "2.0", id: "x", result: { runs: [] } });
        one.send('{"jsonrpc":"2.0","method":"run.list"}\n');
        expect((await one.next())?.error).toBeDefined();
        one.request("no.such");
        expect((await one.next())?.error?.code).toBe(-32_601);
        using stream = await rawClient(world.socket);
        const goal = `Summarise ${pages.url("/a")} and write ${world.out}/a.md`;
        stream.request("agent.submit_streaming", { goal });
        const kinds = (await stream.rest()).map(({ kind }) => kind);
        expect(new Set(kinds)).toEqual(new Set(["event", "plan", "final_text", "end"]));
        expect(kinds.slice(-2)).toEqual(["final_text", "end"]);
      } finally {
        await pages.close();
      }
    },
    TIMEOUT,
  );

  it(
    "A3 exit codes: 0 done, 1 the run failed, 2 usage or unknown id, 3 no daemon",
    async () => {
      await using world = await makeWorld();
      expect((await world.cli(["list"])).code).toBe(3);
      await world.start();
      expect((await world.cli(["list"])).code).toBe(0);
      expect((await world.cli(["submit", "make me happy"])).code).toBe(1);
      expect((await world.cli(["status", "ZZZZZZ"])).code).toBe(2);
      expect((await world.cli(["lsit"])).code).toBe(2);
    },
    TIMEOUT,
  );

  it("A4 all 33 kinds of events exist under their names", () => {
    const kinds = EventBody.options.map((option) => option.shape.kind.value as string);
    expect(KINDS_OF_THE_SEED).toHaveLength(33);
    expect(kinds).toEqual(expect.arrayContaining(KINDS_OF_THE_SEED));
  });

  it("A6 U11 the vendor roles load; they answer ERROR: where an input is missing or an output cannot be written", () => {
    expect(vendor.problems).toEqual([]);
    expect([...vendor.roles.keys()].sort()).toEqual([
      "analyzer",
      "builder",
      "fetcher",
      "generalist",
      "writer",
    ]);
    expect(vendor.roles.get("fetcher")?.role.scaffold).toEqual({ kind: "fetcher" });
    for (const name of ["analyzer", "writer", "generalist", "builder"]) {
      const role = vendor.roles.get(name)?.role;
      expect(role?.system_prompt).toContain("ERROR: missing input");
      expect(role?.system_prompt).toContain("ERROR: cannot write");
      expect(role?.scaffold).toBeUndefined();
    }
    for (const name of ["analyzer", "writer"]) {
      expect(vendor.roles.get(name)?.role.require_declared_output).toBe(true);
    }
  });

  it("A7 the planner is told the rules, every role with its parameters, and after a failure what to avoid", () => {
    const system = planSystemPrompt(vendor.roles);
    for (const rule of [
      /\{run\}/,
      /exactly as written/,
      /final_output/,
      /depends_on/,
      /generalist/,
    ])
      expect(system).toMatch(rule);
    for (const name of vendor.roles.keys()) expect(system).toContain(`- ${name}: `);
    expect(system).toContain("inputs[]");
    expect(planUserPrompt("G")).toBe("GOAL\nG");
    const plan = Plan.parse({ steps: [{ id: "a", role: "fetcher" }], final_output: "/x" });
    const failure = { code: "step_failed", message: "answered 404", class: "replan" } as const;
    const again = planUserPrompt("G", {
      plan,
      succeeded: ["b"],
      failures: [{ step: "a", failure }],
    });
    expect(again).toContain(JSON.stringify(plan));
    expect(again).toContain("- a: answered 404");
    expect(again).toMatch(/SUCCEEDED STEPS .*\nb\n/);
    expect(again).toMatch(/Never repeat a failed step unchanged/);
  });

  it.each([
    [{}, "builtin"],
    [{ DEEPSEEK_API_KEY: "sk-0123456789" }, "deepseek"],
    [{ ANTHROPIC_API_KEY: "sk-ant-0123456789" }, "anthropic"],
    [{ DEEPSEEK_API_KEY: "sk-0123456789", ANTHROPIC_API_KEY: "sk-ant-0123456789" }, "deepseek"],
  ])(
    "A17 keys of the environment %j choose the provider %s, and the log never shows them",
    async (env, name) => {
      await using world = await makeWorld();
      await world.start(env);
      using client = await rawClient(world.socket);
      client.request("system.status");
      expect((await client.next())?.result?.["default_provider"]).toBe(name);
      const log = world.daemon().stdout() + world.daemon().stderr();
      for (const key of Object.values(env)) expect(log).not.toContain(key);
    },
    TIMEOUT,
  );

  it(
    "A22-5 the daemon says each thing once when it starts",
    async () => {
      await using world = await makeWorld();
      const daemon = await world.start();
      const said = daemon
        .stdout()
        .trim()
        .split("\n")
        .map((line) => (JSON.parse(line) as { msg: string }).msg);
      expect(said).toEqual([...new Set(said)]);
    },
    TIMEOUT,
  );

  it(
    "A22-21 every token that an agent held is revoked in the journal when it ends",
    async () => {
      await using world = await makeWorld();
      const pages = await startPages({ "/a": { body: article("Alpha", ["Alpha is first."]) } });
      try {
        await world.start();
        const output = join(world.out, "a.md");
        const params = ["--param", `url=${pages.url("/a")}`, "--param", `output=${output}`];
        expect((await world.cli(["submit", "x", "--role", "fetcher", ...params])).code).toBe(0);
        expect(readFileSync(output, "utf8")).toContain("Alpha is first.");
        const { runs } = await world.json<{ runs: { run_id: string }[] }>(["list", "--all"]);
        const events = await world.events(runs[0]?.run_id ?? "");
        const granted = events
          .filter(({ kind }) => kind === "capability_granted")
          .map((event) => (event["token"] as { id: string }).id);
        const revoked = events
          .filter(({ kind }) => kind === "capability_revoked")
          .map((event) => event["token_id"]);
        expect(granted.length).toBeGreaterThan(1);
        expect(revoked.sort()).toEqual(granted.sort());
        expect(events.find(({ kind }) => kind === "agent_stopped")?.["reason"]).toBe("completed");
      } finally {
        await pages.close();
      }
    },
    TIMEOUT,
  );
});
