import { randomBytes } from "node:crypto";
import { ulid } from "../base/ulid.js";
import type { StepSummary } from "../protocol/control.js";
import type { AuditEvent, EventBodyOf, NewEvent } from "../protocol/event.js";
import { AgentId, RunId, TokenId } from "../protocol/ids.js";
import { addUsage, NO_USAGE } from "../protocol/model.js";
import { isRunEnded } from "../protocol/run.js";
import type { AgentDetail, EventFilter, RunDetail, StoreReader } from "../store/reader.js";

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
type Listener = (events: readonly AuditEvent[]) => void;

/** A journal in memory with the projections that clients see: for tests of what stands above the store. */
export interface MemoryJournal {
  readonly reader: StoreReader;
  readonly subscribe: (listener: Listener) => () => void;
  readonly append: (...events: readonly NewEvent[]) => readonly AuditEvent[];
  readonly newRunId: () => RunId;
  readonly newAgentId: () => AgentId;
  readonly newTokenId: () => TokenId;
}

const ENTROPY = { now: () => Date.now(), randomBytes };

export function memoryJournal(): MemoryJournal {
  const events: AuditEvent[] = [];
  const listeners = new Set<Listener>();
  const runs = new Map<string, Mutable<RunDetail>>();
  const agents = new Map<string, Mutable<AgentDetail>>();
  const append = (...added: readonly NewEvent[]) => {
    const stored = added.map((event) => {
      const time = new Date().toISOString();
      const whole: AuditEvent = { ...event, seq: events.length + 1, id: ulid(ENTROPY), time };
      events.push(whole);
      project(whole, runs, agents);
      return whole;
    });
    for (const listener of listeners) listener(stored);
    return stored;
  };
  return {
    append,
    subscribe: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    newRunId: () => RunId.parse(ulid(ENTROPY)),
    newAgentId: () => AgentId.parse(ulid(ENTROPY)),
    newTokenId: () => TokenId.parse(ulid(ENTROPY)),
    reader: {
      runs: ({ all }) =>
        [...runs.values()].filter(({ state }) => all || !isRunEnded(state)).map(summaryOf),
      run: (id) => runs.get(id),
      runsEndedBefore: () => [],
      agents: ({ all }) =>
        [...agents.values()]
          .filter(({ state }) => all || state !== "stopped")
          .map(({ tokens: _tokens, ...summary }) => summary),
      agent: (id) => agents.get(id),
      mail: () => [],
      manifestOf: () => undefined,
      matchRun: (query) => matching([...runs.keys()], query),
      approvals: () => [],
      approval: () => undefined,
      matchApproval: () => [],
      matchAgent: (query) => matching([...agents.keys()], query),
      schedules: () => [],
      schedule: () => undefined,
      matchSchedule: () => [],
      memories: () => [],
      memory: () => undefined,
      matchMemory: () => [],
      memoryCount: () => 0,
      leastUsed: () => [],
      unusedSince: () => [],
      memoryOwners: () => [],
      events: (filter) => select(events, filter, runs),
      ownerOf: (id) => runs.get(id)?.owner_uid,
      close: () => {},
    },
  };
}

function matching(ids: readonly string[], query: string): readonly string[] {
  const wanted = query.toUpperCase();
  if (ids.includes(wanted)) return [wanted];
  return ids.filter((id) => id.startsWith(wanted) || id.endsWith(wanted));
}

function select(
  events: readonly AuditEvent[],
  filter: EventFilter,
  runs: ReadonlyMap<string, RunDetail>,
): readonly AuditEvent[] {
  const { owner_uid } = filter;
  const found = events.filter(
    (event) =>
      event.seq > filter.after_seq &&
      (filter.run_id === undefined || event.run_id === filter.run_id) &&
      (filter.agent_id === undefined || event.agent_id === filter.agent_id) &&
      (owner_uid === undefined || runs.get(event.run_id ?? "")?.owner_uid === owner_uid) &&
      (filter.kind === undefined || filter.kind.includes(event.kind)),
  );
  return (filter.reverse ? found.reverse() : found).slice(0, filter.limit);
}

function summaryOf(run: RunDetail) {
  const { run_id, goal, state, owner_uid, submitted_at, ended_at, usage, recoveries, paused } = run;
  const steps_total = run.steps.length;
  const steps_done = run.steps.filter((step) => step.state === "succeeded").length;
  return {
    run_id,
    goal,
    state,
    owner_uid,
    submitted_at,
    ended_at,
    steps_total,
    steps_done,
    usage,
    recoveries,
    paused,
  };
}

function project(
  event: AuditEvent,
  runs: Map<string, Mutable<RunDetail>>,
  agents: Map<string, Mutable<AgentDetail>>,
): void {
  if (event.kind === "run_submitted" && event.run_id !== undefined) {
    runs.set(event.run_id, newRun(event.run_id, event));
  }
  const run = event.run_id === undefined ? undefined : runs.get(event.run_id);
  if (run !== undefined) projectRun(run, event);
  if (event.agent_id !== undefined) projectAgent(agents, event.agent_id, event);
}

function newRun(
  run_id: string,
  event: AuditEvent & EventBodyOf<"run_submitted">,
): Mutable<RunDetail> {
  const { goal, orchestration, params, owner_uid, time } = event;
  return {
    run_id,
    goal,
    state: "queued",
    owner_uid,
    submitted_at: time,
    ended_at: null,
    steps_total: 0,
    steps_done: 0,
    usage: NO_USAGE,
    recoveries: 0,
    paused: null,
    request: { goal, orchestration, params },
    plan: null,
    steps: [],
    final_output: null,
    final_text: null,
    documents: [],
    error: null,
    last_seq: event.seq,
  };
}

function projectRun(run: Mutable<RunDetail>, event: AuditEvent): void {
  run.last_seq = event.seq;
  if (event.kind === "plan_produced") {
    run.plan = event.plan;
    run.steps = event.plan.steps.map(({ id, role, depends_on }) => newStep(id, role, depends_on));
    run.steps_total = run.steps.length;
  }
  if (event.kind === "run_result") {
    const { final_output, final_text, documents } = event;
    Object.assign(run, { final_output, final_text, documents });
  }
  if (event.kind === "usage_reported") {
    const { input_tokens, output_tokens, usd } = event;
    run.usage = addUsage(run.usage, { input_tokens, output_tokens, usd });
  }
  if (event.kind === "step_state_changed") {
    run.steps = run.steps.map((step) =>
      step.step_id === event.subtask_id ? { ...step, state: event.to } : step,
    );
    run.steps_done = run.steps.filter(({ state }) => state === "succeeded").length;
  }
  if (event.kind === "run_state_changed") projectState(run, event);
}

function projectState(
  run: Mutable<RunDetail>,
  { to, time, error, reason }: AuditEvent & EventBodyOf<"run_state_changed">,
): void {
  run.state = to;
  run.paused = to === "paused" ? (reason ?? "") : null;
  if (isRunEnded(to)) run.ended_at = time;
  if (to === "failed") run.error = { kind: error ?? "run_failed", message: reason ?? "failed" };
}

function newStep(step_id: string, role: string, depends_on: string[]): StepSummary {
  return {
    step_id,
    role,
    state: "waiting",
    depends_on,
    agent_id: null,
    model: null,
    started_at: null,
    ended_at: null,
    usage: NO_USAGE,
    outputs: [],
    error: null,
  };
}

function projectAgent(
  agents: Map<string, Mutable<AgentDetail>>,
  agent_id: string,
  event: AuditEvent,
): void {
  if (event.kind === "agent_spawned") {
    agents.set(agent_id, {
      agent_id,
      run_id: event.run_id ?? null,
      step_id: event.step_id ?? null,
      name: event.manifest_name,
      model: event.model,
      state: "running",
      capability_count: 0,
      started_at: event.time,
      ended_at: null,
      parent_agent: event.parent_agent ?? null,
      lifecycle: event.lifecycle ?? "ephemeral",
      owner_uid: event.owner_uid ?? null,
      mailbox: 0,
      usage: NO_USAGE,
      tokens: [],
    });
  }
  const agent = agents.get(agent_id);
  if (agent === undefined) return;
  if (event.kind === "capability_granted") {
    agent.tokens = [...agent.tokens, { ...event.token, revoked_at: null, uses: 0 }];
    agent.capability_count = agent.tokens.length;
  }
  if (event.kind === "agent_stopped") {
    agent.state = "stopped";
    agent.ended_at = event.time;
  }
}
