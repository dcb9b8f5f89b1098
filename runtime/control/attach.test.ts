import { describe, expect, it } from "vitest";
import type { NewEvent } from "../protocol/event.js";
import type { RunId } from "../protocol/ids.js";
import { Plan } from "../protocol/plan.js";
import type { MemoryJournal } from "../test/memory-journal.js";
import { type Answer, type RawClient, rawClient } from "../test/raw-client.js";
import { type RunScript, scriptedDaemon } from "../test/scripted-daemon.js";

const PLAN = Plan.parse({
  steps: [{ id: "write", role: "writer", params: { output: "/output/a.md" } }],
  final_output: "/output/a.md",
});

describe("a followed run", () => {
  it("A24-11 shows its plan as soon as it is made, again after a replan, then its text, then end", async () => {
    await using daemon = await scriptedDaemon({ script: wholeRun });
    using client = await rawClient(daemon.socketPath);
    client.request("agent.submit_streaming", { goal: "write a.md" });
    const frames = await client.rest();
    expect(frames.map(({ kind, event }) => (kind === "event" ? kindOf(event) : kind))).toEqual([
      "run_submitted",
      "plan_produced",
      "plan",
      "usage_reported",
      "plan_produced",
      "plan",
      "run_result",
      "run_state_changed",
      "final_text",
      "end",
    ]);
    expect(frames.at(-2)).toEqual({ kind: "final_text", text: "done" });
    const end = frames.at(-1);
    expect(end).toMatchObject({ exit_code: 0, state: "succeeded", final_output: "/output/a.md" });
    expect(end).toMatchObject({ input_tokens: 100, output_tokens: 20, usd: 0.5 });
    expect(end?.["run_id"]).toHaveLength(26);
  });

  it("A24-4 that failed ends with exit code 1, what went wrong, its code and what to do next", async () => {
    await using daemon = await scriptedDaemon();
    const id = submitted(daemon.journal);
    daemon.journal.append(moved(id, "failed"));
    using client = await rawClient(daemon.socketPath);
    client.request("run.attach", { run_id: id });
    expect((await client.rest()).at(-1)).toMatchObject({
      kind: "end",
      exit_code: 1,
      state: "failed",
      error: "the writer had no output",
      error_kind: "output_missing",
      hint: expect.stringContaining("agentd logs") as string,
    });
  });

  it("that ended before can still be followed, also from after its last event", async () => {
    await using daemon = await scriptedDaemon();
    const id = submitted(daemon.journal);
    await wholeRun(daemon.journal, id);
    using all = await rawClient(daemon.socketPath);
    all.request("run.attach", { run_id: id.slice(-5).toLowerCase() });
    expect((await all.rest()).filter(({ kind }) => kind === "event")).toHaveLength(6);
    using none = await rawClient(daemon.socketPath);
    none.request("run.attach", { run_id: id, after_seq: 999 });
    expect((await none.rest()).map(({ kind }) => kind)).toEqual(["final_text", "end"]);
  });

  it("A24-2 gives the events of that run alone", async () => {
    await using daemon = await scriptedDaemon();
    const mine = submitted(daemon.journal);
    const other = submitted(daemon.journal);
    using client = await rawClient(daemon.socketPath);
    client.request("run.attach", { run_id: mine });
    expect((await client.next())?.kind).toBe("event");
    await Promise.all([wholeRun(daemon.journal, other), wholeRun(daemon.journal, mine)]);
    const frames = await client.rest();
    const runs = new Set(
      frames.flatMap(({ event }) => (event === undefined ? [] : [runOf(event)])),
    );
    expect([...runs]).toEqual([mine]);
    expect(frames.at(-1)?.["run_id"]).toBe(mine);
  });

  it("A24-1 goes on when its client vanishes, and another client finds all of it", async () => {
    let leave = () => {};
    const left = new Promise<void>((resolve) => {
      leave = resolve;
    });
    await using daemon = await scriptedDaemon({
      script: async (journal, id) => {
        await left;
        await wholeRun(journal, id);
      },
    });
    let id: unknown;
    {
      using client = await rawClient(daemon.socketPath);
      client.request("agent.submit_streaming", { goal: "write a.md" });
      id = runOf((await client.next())?.["event"]);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
    leave();
    using later = await rawClient(daemon.socketPath);
    later.request("run.attach", { run_id: id });
    expect((await later.rest()).at(-1)).toMatchObject({ kind: "end", exit_code: 0 });
    expect(daemon.cancelled).toEqual([]);
  });

  it("with bad parameters is one end frame of exit code 2 that names the field", async () => {
    await using daemon = await scriptedDaemon();
    using client = await rawClient(daemon.socketPath);
    client.request("agent.submit_streaming", { goal: "  ", max_usd: "lots" });
    const frames = await client.rest();
    expect(frames).toHaveLength(1);
    expect(frames[0]).toMatchObject({ kind: "end", exit_code: 2, error_kind: "invalid_request" });
    expect(frames[0]?.["error"]).toMatch(/goal: .*max_usd: /);
  });

  it("is found by a unique part of its id; an unknown or ambiguous one names what there is", async () => {
    await using daemon = await scriptedDaemon();
    const ids = [submitted(daemon.journal), submitted(daemon.journal)];
    const ask = async (run_id: string): Promise<Answer | undefined> => {
      using client = await rawClient(daemon.socketPath);
      client.request("run.get", { run_id });
      return await client.next();
    };
    expect((await ask("ZZZZ"))?.error?.data.kind).toBe("unknown_id");
    const ambiguous = (await ask(ids[0]?.slice(0, 4) ?? ""))?.error;
    expect(ambiguous?.data.kind).toBe("ambiguous_id");
    for (const id of ids) expect(ambiguous?.message).toContain(id);
    expect((await ask(ids[1]?.slice(-8) ?? ""))?.result?.["run_id"]).toBe(ids[1]);
  });

  it("loses and repeats nothing however its events fall around the change from store to live", async () => {
    await using daemon = await scriptedDaemon();
    const id = submitted(daemon.journal);
    const clients: RawClient[] = [];
    for (let i = 0; i < 3_000; i++) {
      daemon.journal.append(note(id, i));
      if (i % 300 === 7) {
        const client = await rawClient(daemon.socketPath);
        client.request("run.attach", { run_id: id });
        clients.push(client);
      }
      if (i % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await wholeRun(daemon.journal, id);
    for (const client of clients) {
      using _client = client;
      const seqs = (await client.rest()).flatMap(({ event }) =>
        event === undefined ? [] : [seqOf(event)],
      );
      expect(seqs).toEqual(Array.from({ length: 3_006 }, (_, i) => i + 1));
    }
  });

  it("tells a slow client how far it lagged, then gives it everything; the run never waits", async () => {
    await using daemon = await scriptedDaemon();
    const id = submitted(daemon.journal);
    using client = await rawClient(daemon.socketPath);
    client.request("run.attach", { run_id: id });
    await client.next();
    client.socket.pause();
    const began = performance.now();
    for (let i = 0; i < 4_000; i++) {
      daemon.journal.append(note(id, i));
      if (i % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await wholeRun(daemon.journal, id);
    const appendedMs = performance.now() - began;
    client.socket.resume();
    const frames = await client.rest();
    const lags = frames.filter(({ kind }) => kind === "lag");
    expect(lags.length).toBeGreaterThan(0);
    expect(Number(lags[0]?.["missed"])).toBeGreaterThan(256);
    const seqs = frames.flatMap(({ event }) => (event === undefined ? [] : [seqOf(event)]));
    expect(seqs).toEqual(Array.from({ length: 4_005 }, (_, i) => i + 2));
    expect(appendedMs).toBeLessThan(5_000);
  });
});

describe("a run with many followers", () => {
  it("waits for none of them: those that keep up see its end while one takes nothing, which then lags and misses nothing", async () => {
    await using daemon = await scriptedDaemon();
    const id = submitted(daemon.journal);
    const follow = async (): Promise<RawClient> => {
      const client = await rawClient(daemon.socketPath);
      client.request("run.attach", { run_id: id });
      await client.next();
      return client;
    };
    using slow = await follow();
    slow.socket.pause();
    const quick = await Promise.all(Array.from({ length: 20 }, follow));
    for (let i = 0; i < 4_000; i++) {
      daemon.journal.append(note(id, i));
      if (i % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await wholeRun(daemon.journal, id);
    const all = Array.from({ length: 4_005 }, (_, i) => i + 2);
    const seqs = (frames: readonly Answer[]) =>
      frames.flatMap(({ event }) => (event === undefined ? [] : [seqOf(event)]));
    for (const client of quick) {
      using _client = client;
      const frames = await client.rest();
      expect(seqs(frames)).toEqual(all);
      expect(frames.at(-1)?.kind).toBe("end");
    }
    slow.socket.resume();
    const late = await slow.rest();
    expect(late.some(({ kind }) => kind === "lag")).toBe(true);
    expect(seqs(late)).toEqual(all);
  });
});

describe("a followed agent", () => {
  it("is followed until it has stopped; without follow, until nothing is newer", async () => {
    await using daemon = await scriptedDaemon();
    const run_id = submitted(daemon.journal);
    const agent_id = daemon.journal.newAgentId();
    const of = { run_id, agent_id, actor: "daemon" };
    daemon.journal.append({ ...of, kind: "agent_spawned", manifest_name: "writer", model: "m" });
    using snapshot = await rawClient(daemon.socketPath);
    snapshot.request("agent.logs_streaming", { agent_id, follow: false });
    expect((await snapshot.rest()).map(({ kind }) => kind)).toEqual(["event", "end"]);
    using follower = await rawClient(daemon.socketPath);
    follower.request("agent.logs_streaming", { agent_id });
    await follower.next();
    daemon.journal.append(
      {
        ...of,
        kind: "agent_execution_completed",
        stop_reason: "max_iterations",
        total_iterations: 9,
      },
      { ...of, kind: "agent_stopped", reason: "error" },
    );
    expect((await follower.rest()).at(-1)).toMatchObject({ kind: "end", exit_code: 1, run_id });
  });
});

function kindOf(event: unknown): unknown {
  return (event as { kind: unknown }).kind;
}

function runOf(event: unknown): unknown {
  return (event as { run_id: unknown }).run_id;
}

function seqOf(event: unknown): unknown {
  return (event as { seq: unknown }).seq;
}

function submitted(journal: MemoryJournal): RunId {
  const run_id = journal.newRunId();
  const of = { run_id, actor: "uid:1000", owner_uid: 1000, params: {} };
  journal.append({ ...of, kind: "run_submitted", goal: "g", orchestration: "auto" });
  return run_id;
}

function moved(run_id: RunId, to: "succeeded" | "failed"): NewEvent {
  const of = { run_id, actor: "daemon", kind: "run_state_changed", from: "running" } as const;
  return to === "succeeded"
    ? { ...of, move: "succeed", to }
    : { ...of, move: "fail", to, reason: "the writer had no output", error: "output_missing" };
}

function note(run_id: RunId, i: number): NewEvent {
  return { run_id, actor: "planner", kind: "planner_reply", text: `${i} ${"x".repeat(300)}` };
}

/** A run with one replan, after it was submitted: five events. */
const wholeRun = async (...[journal, run_id]: Parameters<RunScript> | [MemoryJournal, RunId]) => {
  const of = { run_id, actor: "planner" };
  const produced = { kept: [], document_before: "absent", subtask_count: 1 };
  const plan = { ...of, ...produced, kind: "plan_produced", plan: PLAN } as const;
  const usage = { input_tokens: 100, output_tokens: 20, usd: 0.5 };
  journal.append({ ...plan, replans_used: 0 });
  await new Promise((resolve) => setImmediate(resolve));
  journal.append(
    { ...of, kind: "usage_reported", ...usage, provider: "p", model: "m", latency_ms: 1 },
    { ...plan, replans_used: 1 },
  );
  await new Promise((resolve) => setImmediate(resolve));
  const result = { final_output: "/output/a.md", final_text: "done", documents: ["/output/a.md"] };
  journal.append({ ...of, kind: "run_result", ...result, usage }, moved(run_id, "succeeded"));
};
