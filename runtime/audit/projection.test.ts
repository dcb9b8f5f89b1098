import { describe, expect, it } from "vitest";
import type { EventContext, NewEvent } from "../protocol/event.js";
import { StepId } from "../protocol/ids.js";
import { NO_USAGE } from "../protocol/model.js";
import type { Token } from "../protocol/token.js";
import {
  journalFixture,
  newAgentId,
  newRunId,
  newTokenId,
  planned,
  runMoved,
  spawned,
  stepMoved,
  submitted,
  wholeRun,
} from "../test/journal-fixture.js";
import { verifyJournal } from "./verify.js";

const ILLEGAL = { code: "illegal_transition" };
const UNKNOWN = { code: "unknown_id" };

function usage(of: Omit<EventContext, "actor">, input: number, usd: number): NewEvent {
  return {
    kind: "usage_reported",
    actor: "daemon",
    ...of,
    input_tokens: input,
    output_tokens: 1,
    usd,
    provider: "scripted",
    model: "m",
    latency_ms: 1,
  };
}

describe("a run", () => {
  it("A24-31 from submission to result is rows that a reader sees", async () => {
    await using f = await journalFixture();
    const [runId, agentId] = [newRunId(), newAgentId()];
    await f.journal.append(wholeRun(runId, agentId));
    expect(f.reader.run(runId)).toMatchObject({
      run_id: runId,
      goal: "compare A and B",
      state: "succeeded",
      owner_uid: 1000,
      steps_total: 1,
      steps_done: 1,
      usage: { input_tokens: 100, output_tokens: 20, usd: 0.25 },
      request: { goal: "compare A and B", orchestration: "auto", params: {} },
      plan: { final_output: "/data/out.md", steps: [{ id: "write" }] },
      final_output: "/data/out.md",
      final_text: "done",
      documents: ["/data/out.md"],
      error: null,
      last_seq: 13,
      steps: [
        {
          step_id: "write",
          state: "succeeded",
          role: "analyzer",
          agent_id: agentId,
          outputs: ["/data/out.md"],
          error: null,
          usage: { input_tokens: 100, output_tokens: 20, usd: 0.25 },
        },
      ],
    });
    expect(f.reader.run(runId)?.ended_at).not.toBeNull();
    expect(f.reader.agent(agentId)).toMatchObject({ state: "stopped", name: "analyzer" });
  });

  it("that ended is listed only where all are asked for, newest first", async () => {
    await using f = await journalFixture();
    const ids = [newRunId(), newRunId(), newRunId()] as const;
    for (const id of ids) await f.journal.append([submitted(id)]);
    await f.journal.append([
      runMoved(ids[1], { move: "cancel", from: "queued", to: "cancelled", reason: "by hand" }),
    ]);
    const list = (all: boolean) => f.reader.runs({ all }).map((run) => run.run_id);
    expect(list(false)).toEqual([ids[2], ids[0]]);
    expect(list(true)).toEqual([ids[2], ids[1], ids[0]]);
    expect(f.reader.run(ids[1])?.error).toEqual({ kind: "cancelled", message: "by hand" });
  });

  it("keeps the kind and the reason it failed with", async () => {
    await using f = await journalFixture();
    const runId = newRunId();
    const fail = { move: "fail", from: "queued", to: "failed" } as const;
    await f.journal.append([
      submitted(runId),
      runMoved(runId, { ...fail, reason: "too dear", error: "budget_exceeded" }),
    ]);
    expect(f.reader.run(runId)?.error).toEqual({ kind: "budget_exceeded", message: "too dear" });
  });

  it("moves by legal moves alone, from the state that it is in", async () => {
    await using f = await journalFixture();
    const runId = newRunId();
    await f.journal.append([submitted(runId)]);
    const move = (change: Parameters<typeof runMoved>[1]) =>
      f.journal.append([runMoved(runId, change)]);
    await expect(move({ move: "succeed", from: "queued", to: "succeeded" })).rejects.toMatchObject(
      ILLEGAL,
    );
    await expect(move({ move: "plan", from: "queued", to: "running" })).rejects.toMatchObject(
      ILLEGAL,
    );
    await expect(move({ move: "execute", from: "planning", to: "running" })).rejects.toMatchObject(
      ILLEGAL,
    );
    await move({ move: "plan", from: "queued", to: "planning" });
    await move({ move: "execute", from: "planning", to: "running" });
    expect(f.reader.run(runId)?.state).toBe("running");
  });

  it("is submitted once, and nothing happens to one that never was", async () => {
    await using f = await journalFixture();
    const runId = newRunId();
    await f.journal.append([submitted(runId)]);
    await expect(f.journal.append([submitted(runId)])).rejects.toMatchObject(ILLEGAL);
    const stranger = f.journal.append([usage({ run_id: newRunId() }, 1, 0)]);
    await expect(stranger).rejects.toMatchObject(UNKNOWN);
  });
});

describe("a plan's steps", () => {
  it("that succeeded stay at a replan unless they are to be made again; all others give way", async () => {
    await using f = await journalFixture();
    const runId = newRunId();
    await f.journal.append([
      submitted(runId),
      planned(runId, { fetch: [], lost: [], analyze: ["fetch"], write: ["analyze"] }),
      stepMoved(runId, "fetch", { move: "start", from: "waiting", to: "running" }),
      stepMoved(runId, "fetch", { move: "succeed", from: "running", to: "succeeded" }),
      stepMoved(runId, "lost", { move: "start", from: "waiting", to: "running" }),
      stepMoved(runId, "lost", { move: "succeed", from: "running", to: "succeeded" }),
      stepMoved(runId, "analyze", { move: "start", from: "waiting", to: "running" }),
      stepMoved(runId, "analyze", { move: "fail", from: "running", to: "failed", reason: "no" }),
      stepMoved(runId, "write", { move: "skip", from: "waiting", to: "skipped" }),
      planned(runId, { lost: [], analyze: ["fetch"], rewrite: ["analyze"] }, 1, ["fetch"]),
    ]);
    const steps = f.reader.run(runId)?.steps.map((s) => [s.step_id, s.state, s.error]);
    expect(steps?.toSorted()).toEqual([
      ["analyze", "waiting", null],
      ["fetch", "succeeded", null],
      ["lost", "waiting", null],
      ["rewrite", "waiting", null],
    ]);
    expect(verifyJournal(f.path).problems).toEqual([]);
  });

  it("are filled in by each attempt: role, model, agent, outputs, error and times", async () => {
    await using f = await journalFixture();
    const [runId, agentId] = [newRunId(), newAgentId()];
    const of = { run_id: runId, step_id: StepId.parse("a"), agent_id: agentId, actor: "daemon" };
    const attempt = (n: number): NewEvent => ({
      kind: "subtask_started",
      ...of,
      subtask_id: "a",
      role: "writer",
      model: `m${n}`,
      attempt: n,
    });
    const completed = (success: boolean, outputs: string[]): NewEvent => ({
      kind: "subtask_completed",
      ...of,
      subtask_id: "a",
      success,
      outputs,
      usage: NO_USAGE,
      ...(success ? {} : { error: "no file" }),
    });
    await f.journal.append([
      submitted(runId),
      planned(runId, { a: [] }),
      stepMoved(runId, "a", { move: "start", from: "waiting", to: "running" }),
      spawned(runId, agentId, "a"),
      attempt(1),
      completed(false, ["/x", "/y"]),
    ]);
    const step = () => f.reader.run(runId)?.steps[0];
    expect(step()).toMatchObject({ state: "running", error: "no file", outputs: ["/x", "/y"] });
    await f.journal.append([
      attempt(2),
      completed(true, ["/z"]),
      stepMoved(runId, "a", { move: "succeed", from: "running", to: "succeeded" }),
    ]);
    expect(step()).toMatchObject({
      state: "succeeded",
      role: "writer",
      model: "m2",
      agent_id: agentId,
      error: null,
      outputs: ["/z"],
    });
    expect(step()?.started_at).not.toBeNull();
    expect(step()?.ended_at).not.toBeNull();
  });

  it("move by legal moves alone, and only where the plan has them", async () => {
    await using f = await journalFixture();
    const runId = newRunId();
    await f.journal.append([submitted(runId), planned(runId, { a: [] })]);
    const move = (id: string, change: Parameters<typeof stepMoved>[2]) =>
      f.journal.append([stepMoved(runId, id, change)]);
    const start = { move: "start", from: "waiting", to: "running" } as const;
    await expect(move("a", { ...start, move: "succeed" })).rejects.toMatchObject(ILLEGAL);
    await expect(move("b", start)).rejects.toMatchObject(UNKNOWN);
    await move("a", start);
    await expect(move("a", start)).rejects.toMatchObject(ILLEGAL);
  });
});

describe("usage", () => {
  it("A24-4 adds up on the run, the step and the agent that it names, and a planner's on the run alone", async () => {
    await using f = await journalFixture();
    const [runId, agentId] = [newRunId(), newAgentId()];
    await f.journal.append([
      submitted(runId),
      planned(runId, { a: [] }),
      spawned(runId, agentId, "a"),
    ]);
    const of = { run_id: runId, step_id: StepId.parse("a"), agent_id: agentId };
    await f.journal.append([
      usage({ run_id: runId }, 5, 0.5),
      usage(of, 10, 0.25),
      usage(of, 20, 0.25),
    ]);
    const run = f.reader.run(runId);
    expect(run?.usage).toEqual({ input_tokens: 35, output_tokens: 3, usd: 1 });
    expect(run?.steps[0]?.usage).toEqual({ input_tokens: 30, output_tokens: 2, usd: 0.5 });
    expect(f.reader.agent(agentId)?.usage).toEqual({
      input_tokens: 30,
      output_tokens: 2,
      usd: 0.5,
    });
  });
});

describe("an agent", () => {
  it("starts, runs with its first message, and ends once", async () => {
    await using f = await journalFixture();
    const [runId, agentId] = [newRunId(), newAgentId()];
    const of = { run_id: runId, agent_id: agentId, actor: "daemon" };
    const state = () => f.reader.agent(agentId)?.state;
    const message: NewEvent = { kind: "agent_execution_started", ...of, message_preview: "hi" };
    const stopped: NewEvent = { kind: "agent_stopped", ...of, reason: "completed" };
    await f.journal.append([submitted(runId), spawned(runId, agentId)]);
    expect(state()).toBe("starting");
    await f.journal.append([message]);
    expect(state()).toBe("running");
    await f.journal.append([message]);
    expect(f.reader.agents({ all: false })).toHaveLength(1);
    await f.journal.append([stopped]);
    expect(state()).toBe("stopped");
    expect(f.reader.agents({ all: false })).toEqual([]);
    expect(f.reader.agents({ all: true })).toHaveLength(1);
    for (const late of [message, stopped, spawned(runId, agentId)])
      await expect(f.journal.append([late])).rejects.toMatchObject(ILLEGAL);
  });
});

describe("a token", () => {
  it("is granted, counted against what it was cut from, and revoked with it", async () => {
    await using f = await journalFixture();
    const [runId, parent, child] = [newRunId(), newAgentId(), newAgentId()];
    const token = (agent: Token["agent_id"], parentId: Token["id"] | null): Token => ({
      id: newTokenId(),
      agent_id: agent,
      parent_id: parentId,
      capability: { kind: "file_read", glob: "/data/*" },
      max_invocations: 3,
      rate_limit: { count: 10, per_ms: 60_000 },
      issued_at: 1_700_000_000_000,
      expires_at: null,
    });
    const top = token(parent, null);
    const cut = token(child, top.id);
    const other = token(parent, null);
    const of = { actor: "daemon", run_id: runId, capability: "file_read: /data/*" };
    await f.journal.append([
      submitted(runId),
      spawned(runId, parent),
      { ...spawned(runId, child), parent_agent: parent } as NewEvent,
      ...[top, cut, other].map(
        (t): NewEvent => ({ kind: "capability_granted", ...of, agent_id: t.agent_id, token: t }),
      ),
      { kind: "capability_used", ...of, token_id: cut.id },
      { kind: "capability_used", ...of, token_id: top.id },
    ]);
    expect(f.reader.agent(child)?.tokens).toEqual([{ ...cut, uses: 1, revoked_at: null }]);
    expect(f.reader.agent(parent)?.capability_count).toBe(2);
    const [revoked] = await f.journal.append([
      { kind: "capability_revoked", ...of, token_id: top.id, reason: "by hand" },
    ]);
    const at = Date.parse(revoked?.time ?? "");
    const tokens = f.reader.agent(parent)?.tokens ?? [];
    expect(tokens.find((t) => t.id === top.id)).toMatchObject({ uses: 2, revoked_at: at });
    expect(tokens.find((t) => t.id === other.id)).toMatchObject({ uses: 0, revoked_at: null });
    expect(f.reader.agent(child)).toMatchObject({ capability_count: 0, parent_agent: parent });
    expect(verifyJournal(f.path).problems).toEqual([]);
  });

  it("cannot be granted to nobody, nor be revoked where it is unknown", async () => {
    await using f = await journalFixture();
    const token: Token = {
      id: newTokenId(),
      agent_id: newAgentId(),
      parent_id: null,
      capability: { kind: "web_search" },
      max_invocations: null,
      rate_limit: null,
      issued_at: 1,
      expires_at: null,
    };
    const of = { actor: "daemon", capability: "web_search" };
    const grant = f.journal.append([{ kind: "capability_granted", ...of, token }]);
    await expect(grant).rejects.toMatchObject(UNKNOWN);
    const revoke = f.journal.append([
      { kind: "capability_revoked", ...of, token_id: token.id, reason: "x" },
    ]);
    await expect(revoke).rejects.toMatchObject(UNKNOWN);
  });
});

describe("an approval", () => {
  it("is settled once, by whom is on record", async () => {
    await using f = await journalFixture();
    const runId = newRunId();
    const grant: NewEvent = {
      kind: "human_approval_granted",
      actor: "uid:1000",
      run_id: runId,
      approval_id: "one",
      scope: "once",
    };
    await f.journal.append([
      submitted(runId),
      {
        kind: "human_approval_requested",
        actor: "agent",
        run_id: runId,
        approval_id: "one",
        ...{ subject: "tool", input: "{}", expires_at: "2026-01-01T00:00:00.000Z" },
        description: "git push",
        tool: "exec",
      },
      grant,
    ]);
    await expect(f.journal.append([grant])).rejects.toMatchObject(ILLEGAL);
    const other = f.journal.append([{ ...grant, approval_id: "two" } as NewEvent]);
    await expect(other).rejects.toMatchObject(UNKNOWN);
    expect(verifyJournal(f.path).problems).toEqual([]);
  });
});
