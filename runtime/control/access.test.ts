import { describe, expect, it } from "vitest";
import { type Caller, callerOf } from "../protocol/caller.js";
import { METHODS, type Method } from "../protocol/control.js";
import type { NewEvent } from "../protocol/event.js";
import { rawClient } from "../test/raw-client.js";
import { scriptedDaemon } from "../test/scripted-daemon.js";
import { openGate } from "./access.js";

const ADA: Caller = { uid: 1001, groups: [500, 1001], admin: false };
const BOB: Caller = { uid: 1002, groups: [500, 1002], admin: false };
const ADMIN: Caller = { uid: 1003, groups: [500, 501, 1003], admin: true };
const NOBODY: Caller = { uid: null, groups: [], admin: false };

/** A daemon with a run of Ada's and one of Bob's, and an agent in each; `as` chooses who asks next. */
async function sharedDaemon() {
  const who = { is: ADA };
  const trail: NewEvent[] = [];
  const daemon = await scriptedDaemon({
    server: { peerOf: () => who.is },
    record: (event) => Promise.resolve(trail.push(event)),
  });
  const { journal } = daemon;
  const made = [ADA, BOB].map((owner) => {
    const run_id = journal.newRunId();
    const agent_id = journal.newAgentId();
    const context = { run_id, actor: `uid:${String(owner.uid)}` };
    const submitted = {
      goal: `of ${String(owner.uid)}`,
      orchestration: "auto",
      params: {},
    } as const;
    journal.append({ ...context, kind: "run_submitted", owner_uid: owner.uid, ...submitted });
    journal.append({
      ...context,
      agent_id,
      kind: "agent_spawned",
      manifest_name: "writer",
      model: "m",
      depth: 0,
    } as unknown as NewEvent);
    return { run_id, agent_id };
  });
  journal.append({ kind: "daemon_stopped", actor: "daemon", reason: "test" });
  const ask = async (caller: Caller, method: string, params: unknown = {}) => {
    who.is = caller;
    using client = await rawClient(daemon.socketPath);
    client.request(method, params);
    return (await client.next()) ?? {};
  };
  const [adas, bobs] = made as [(typeof made)[0], (typeof made)[0]];
  return {
    daemon,
    trail,
    ask,
    who,
    adas,
    bobs,
    [Symbol.asyncDispose]: () => daemon[Symbol.asyncDispose](),
  };
}

describe("an operator in group aaos", () => {
  it("sees and stops their own runs and agents", async () => {
    await using shared = await sharedDaemon();
    const { ask, adas, daemon } = shared;
    expect(runsOf(await ask(ADA, "run.list", { all: true }))).toEqual([adas.run_id]);
    expect(agentsOf(await ask(ADA, "agent.list", { all: true }))).toEqual([adas.agent_id]);
    expect((await ask(ADA, "run.get", { run_id: adas.run_id })).result).toBeDefined();
    expect((await ask(ADA, "run.result", { run_id: adas.run_id })).result).toBeDefined();
    expect((await ask(ADA, "agent.status", { agent_id: adas.agent_id })).result).toBeDefined();
    expect((await ask(ADA, "run.cancel", { run_id: adas.run_id })).result).toBeDefined();
    expect((await ask(ADA, "agent.stop", { agent_id: adas.agent_id })).result).toBeDefined();
    expect(daemon.cancelled).toEqual([adas.run_id, adas.agent_id]);
  });

  it.each([
    ["run.get", "run_id"],
    ["run.result", "run_id"],
    ["run.attach", "run_id"],
    ["run.cancel", "run_id"],
    ["agent.status", "agent_id"],
    ["agent.stop", "agent_id"],
    ["agent.logs_streaming", "agent_id"],
    ["audit.query", "run_id"],
    ["audit.query", "agent_id"],
    ["audit.tail", "run_id"],
  ] as const)(
    "is told that %s of another's %s is denied, and what to do",
    async (method, field) => {
      await using shared = await sharedDaemon();
      const { ask, bobs, daemon } = shared;
      const answer = await ask(ADA, method, { [field]: bobs[field] });
      const told = answer.error?.data ?? { kind: answer["error_kind"], hint: answer["hint"] };
      expect(told).toMatchObject({ kind: "not_permitted" });
      expect(told.hint).toContain("adduser $USER aaos-admin");
      expect(daemon.cancelled).toEqual([]);
      // The twin: whose it is may.
      const own = await ask(BOB, method, { [field]: bobs[field] });
      expect(own.error ?? own["error_kind"]).toBeUndefined();
    },
  );

  it("finds in the trail the events of their own runs alone, as a query and live", async () => {
    await using shared = await sharedDaemon();
    const { ask, adas, bobs, daemon, who } = shared;
    const { result } = await ask(ADA, "audit.query", {});
    const events = result?.["events"] as { run_id?: string }[];
    expect(new Set(events.map(({ run_id }) => run_id))).toEqual(new Set([adas.run_id]));
    who.is = ADA;
    using tail = await rawClient(daemon.socketPath);
    tail.request("audit.tail", { after_seq: 5 });
    await new Promise((resolve) => setTimeout(resolve, 50));
    const stop = (run_id: typeof adas.run_id, goal: string) => ({
      ...({ kind: "orchestration_selected", mode: "direct", source: "explicit" } as const),
      ...{ run_id, actor: "daemon", reason: goal },
    });
    daemon.journal.append(stop(bobs.run_id, "hidden"), stop(adas.run_id, "shown"));
    expect((await tail.next())?.["event"]).toMatchObject({ reason: "shown" });
  });

  it.each(["audit.verify", "system.status", "system.doctor"])("may not call %s", async (method) => {
    await using shared = await sharedDaemon();
    const { error } = await shared.ask(ADA, method);
    expect(error?.data).toMatchObject({ kind: "not_permitted" });
    expect(error?.message).toContain("aaos-admin");
  });
});

describe("an admin", () => {
  it("sees and stops everybody's, and calls system.*", async () => {
    await using shared = await sharedDaemon();
    const { ask, adas, bobs, daemon } = shared;
    expect(runsOf(await ask(ADMIN, "run.list", { all: true }))).toEqual([adas.run_id, bobs.run_id]);
    expect((await ask(ADMIN, "run.cancel", { run_id: bobs.run_id })).result).toBeDefined();
    expect(daemon.cancelled).toEqual([bobs.run_id]);
    const { result } = await ask(ADMIN, "audit.query", {});
    expect(result?.["events"]).toHaveLength(5);
    expect((await ask(ADMIN, "system.status")).result).toBeDefined();
    expect((await ask(ADMIN, "system.doctor")).result).toBeDefined();
  });
});

it("a caller of whom the kernel says nothing may do nothing at all", async () => {
  const trail: NewEvent[] = [];
  const gate = openGate((event) => Promise.resolve(trail.push(event)));
  for (const method of Object.keys(METHODS) as Method[]) {
    await expect(gate(method, {}, NOBODY)).rejects.toMatchObject({ code: "not_permitted" });
    await expect(gate(method, {}, ADMIN)).resolves.toBeUndefined();
  }
  expect(trail.filter((event) => event.kind === "operator_call" && !event.allowed)).toHaveLength(
    Object.keys(METHODS).length,
  );
});

it("who called what is in the trail with uid and groups: what acts, and what was refused", async () => {
  await using shared = await sharedDaemon();
  const { ask, adas, trail } = shared;
  await ask(ADA, "run.list");
  await ask(ADA, "run.cancel", { run_id: adas.run_id.slice(0, 20) });
  await ask(ADA, "system.status");
  const { admin, ...who } = ADA;
  const told = { kind: "operator_call", actor: "uid:1001", ...who, admin };
  expect(trail).toEqual([
    { ...told, method: "run.cancel", allowed: true, target: adas.run_id.slice(0, 20) },
    { ...told, method: "system.status", allowed: false },
  ]);
});

it("root, group aaos-admin and the owner of a daemon under --root are admins; nobody else is", () => {
  const peer = { uid: 1000, gid: 1000, groups: [30, 501] };
  expect(callerOf({ ...peer, uid: 0 }, { gid: null, owner: null }).admin).toBe(true);
  expect(callerOf(peer, { gid: 501, owner: null })).toEqual({
    uid: 1000,
    groups: [30, 501, 1000],
    admin: true,
  });
  expect(callerOf({ ...peer, gid: 501, groups: [] }, { gid: 501, owner: null }).admin).toBe(true);
  expect(callerOf(peer, { gid: null, owner: 1000 }).admin).toBe(true);
  expect(callerOf(peer, { gid: 502, owner: 1001 }).admin).toBe(false);
  expect(callerOf(peer, { gid: null, owner: null }).admin).toBe(false);
});

function runsOf({ result = {} }: { result?: Record<string, unknown> }): string[] {
  return (result["runs"] as { run_id: string }[]).map(({ run_id }) => run_id);
}

function agentsOf({ result = {} }: { result?: Record<string, unknown> }): string[] {
  return (result["agents"] as { agent_id: string }[]).map(({ agent_id }) => agent_id);
}
