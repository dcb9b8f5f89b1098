import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Journal, openJournal } from "../audit/journal.js";
import { type Entropy, ulid } from "../base/ulid.js";
import type { EventBodyOf, EventKind, NewEvent } from "../protocol/event.js";
import { AgentId, RunId, StepId, TokenId } from "../protocol/ids.js";
import { NO_USAGE } from "../protocol/model.js";
import { Plan } from "../protocol/plan.js";
import { openReader } from "../store/open-reader.js";
import type { StoreReader } from "../store/reader.js";

export const entropy: Entropy = { now: Date.now, randomBytes };

export const newRunId = (): RunId => RunId.parse(ulid(entropy));
export const newAgentId = (): AgentId => AgentId.parse(ulid(entropy));
export const newTokenId = (): TokenId => TokenId.parse(ulid(entropy));

/** A real journal in a directory of its own, and a reader of it; both end with `dispose`. */
export interface JournalFixture extends AsyncDisposable {
  readonly dir: string;
  readonly path: string;
  readonly journal: Journal;
  readonly reader: StoreReader;
}

export async function journalFixture(
  redact: (text: string) => string = (text) => text,
): Promise<JournalFixture> {
  const dir = mkdtempSync(join(tmpdir(), "aaos-journal-"));
  const path = join(dir, "state", "aaos.db");
  const journal = await openJournal({ path, entropy, redact });
  const reader = openReader(path);
  return {
    dir,
    path,
    journal,
    reader,
    [Symbol.asyncDispose]: async () => {
      reader.close();
      await journal.close();
      rmSync(dir, { recursive: true });
    },
  };
}

export function submitted(runId: RunId, goal = "compare A and B"): NewEvent {
  return {
    kind: "run_submitted",
    actor: "uid:1000",
    run_id: runId,
    goal,
    orchestration: "auto",
    params: {},
    owner_uid: 1000,
  };
}

export function runMoved(
  runId: RunId,
  change: Omit<EventBodyOf<"run_state_changed">, "kind">,
): NewEvent {
  return { kind: "run_state_changed", actor: "daemon", run_id: runId, ...change };
}

/** Steps by id, each with the ids it depends on. */
export function planned(
  runId: RunId,
  steps: Readonly<Record<string, readonly string[]>>,
  replansUsed = 0,
  kept: readonly string[] = [],
): NewEvent {
  const plan = Plan.parse({
    steps: Object.entries(steps).map(([id, depends_on]) => ({ id, role: "analyzer", depends_on })),
    final_output: "/data/out.md",
  });
  return {
    kind: "plan_produced",
    actor: "planner",
    run_id: runId,
    plan,
    subtask_count: plan.steps.length,
    replans_used: replansUsed,
    kept: kept.map((id) => StepId.parse(id)),
    document_before: "absent",
  };
}

export function stepMoved(
  runId: RunId,
  stepId: string,
  change: Omit<EventBodyOf<"step_state_changed">, "kind" | "subtask_id">,
): NewEvent {
  const step_id = StepId.parse(stepId);
  return {
    kind: "step_state_changed",
    actor: "daemon",
    run_id: runId,
    step_id,
    subtask_id: stepId,
    ...change,
  };
}

export function spawned(runId: RunId, agentId: AgentId, stepId?: string): NewEvent {
  return {
    kind: "agent_spawned",
    actor: "daemon",
    run_id: runId,
    agent_id: agentId,
    ...(stepId === undefined ? {} : { step_id: StepId.parse(stepId) }),
    manifest_name: "analyzer",
    model: "fast-1",
  };
}

/** A whole run of one step and one agent, as the daemon would journal it. */
export function wholeRun(runId: RunId, agentId: AgentId): readonly NewEvent[] {
  const step_id = StepId.parse("write");
  const of = { run_id: runId, step_id, agent_id: agentId, actor: "daemon" } as const;
  return [
    submitted(runId),
    runMoved(runId, { move: "plan", from: "queued", to: "planning" }),
    planned(runId, { write: [] }),
    runMoved(runId, { move: "execute", from: "planning", to: "running" }),
    stepMoved(runId, "write", { move: "start", from: "waiting", to: "running" }),
    spawned(runId, agentId, "write"),
    { kind: "agent_execution_started", ...of, message_preview: "write it" },
    {
      kind: "usage_reported",
      ...of,
      input_tokens: 100,
      output_tokens: 20,
      usd: 0.25,
      provider: "scripted",
      model: "fast-1",
      latency_ms: 12,
    },
    { kind: "agent_stopped", ...of, reason: "completed" },
    {
      kind: "subtask_completed",
      ...of,
      subtask_id: "write",
      success: true,
      text: "done",
      outputs: ["/data/out.md"],
      usage: NO_USAGE,
    },
    stepMoved(runId, "write", { move: "succeed", from: "running", to: "succeeded" }),
    {
      kind: "run_result",
      actor: "daemon",
      run_id: runId,
      final_output: "/data/out.md",
      final_text: "done",
      documents: ["/data/out.md"],
      usage: NO_USAGE,
    },
    runMoved(runId, { move: "succeed", from: "running", to: "succeeded" }),
  ];
}

/** An event that concerns nobody and projects to nothing. */
export function note(text: string): NewEvent {
  return { kind: "daemon_stopped", actor: "daemon", reason: text };
}

/** The kind of each event, for short comparisons. */
export function kinds(events: readonly { readonly kind: string }[]): readonly string[] {
  return events.map((event) => event.kind);
}

/** All events, or those of the kinds named. */
export function allEvents(
  reader: StoreReader,
  kind?: readonly EventKind[],
): ReturnType<StoreReader["events"]> {
  return reader.events({
    after_seq: 0,
    limit: 10_000,
    reverse: false,
    ...(kind === undefined ? {} : { kind: [...kind] }),
  });
}
