import { assertNever } from "../base/assert-never.js";
import type { EventKind } from "../protocol/event.js";
import { AgentId, type RunId, type StepId, StepId as StepIdSchema } from "../protocol/ids.js";
import type { Plan } from "../protocol/plan.js";
import type { RunState } from "../protocol/run.js";
import type { StepState } from "../protocol/step.js";
import type { StoreReader } from "../store/reader.js";
import type { StepOutcome } from "./execute-plan.js";
import { readEvents, type StoredEvent } from "./read-events.js";

/** Where one step stands. A step that nobody began has none of it. */
export interface StepHistory {
  readonly state: StepState;
  /** 1 for the first. */
  readonly attempt: number;
  /** The agent that carries it out and has not ended. */
  readonly agent?: AgentId;
}

/** A plan under way. */
export interface PlanHistory {
  readonly plan: Plan;
  readonly replans: number;
  readonly steps: ReadonlyMap<StepId, StepHistory>;
  /** Of the steps that have ended, those kept from earlier plans included. */
  readonly outcomes: ReadonlyMap<StepId, StepOutcome>;
  /** It did not work out and another was asked for: that one has not come yet. */
  readonly isGivenUp: boolean;
}

/** All that carrying a run out has to know of what was done before: by this daemon, by one before it, or nothing. */
export interface RunHistory {
  readonly state: RunState;
  /** When it first left the queue, ms since the epoch; null while it never has. */
  readonly started_at: number | null;
  /** For how long it was paused since. */
  readonly paused_ms: number;
  readonly current: PlanHistory | null;
  /** What each document that a plan named was like when that plan began. */
  readonly before: ReadonlyMap<string, string>;
}

/** Kinds that the fold below looks at; what an agent did in detail is in `agent-history.ts`. */
const KINDS = [
  "run_state_changed",
  "plan_produced",
  "plan_replanned",
  "step_state_changed",
  "subtask_started",
  "subtask_completed",
  "agent_spawned",
  "agent_stopped",
] as const satisfies readonly EventKind[];

/**
 * Where a run stands, by its events alone. The one beginning of every run: a new one has `run_submitted` and nothing else. Throws
 * `run_failed` where some of it was erased.
 */
export function readRunHistory(reader: StoreReader, id: RunId): RunHistory {
  const fold = newFold();
  for (const event of readEvents(reader, KINDS, { run_id: id })) apply(fold, event);
  return fold;
}

interface StepFold {
  state: StepState;
  attempt: number;
  agent?: AgentId;
}

interface Fold {
  state: RunState;
  started_at: number | null;
  paused_ms: number;
  pausedAt: number | null;
  current: {
    plan: Plan;
    replans: number;
    steps: Map<StepId, StepFold>;
    outcomes: Map<StepId, StepOutcome>;
    isGivenUp: boolean;
  } | null;
  before: Map<string, string>;
}

function newFold(): Fold {
  return {
    state: "queued",
    started_at: null,
    paused_ms: 0,
    pausedAt: null,
    current: null,
    before: new Map(),
  };
}

function apply(fold: Fold, event: StoredEvent<(typeof KINDS)[number]>): void {
  switch (event.kind) {
    case "run_state_changed":
      moved(fold, event.to, Date.parse(event.time));
      return;
    case "plan_produced":
      planned(fold, event);
      return;
    case "plan_replanned":
      if (fold.current !== null) fold.current.isGivenUp = true;
      return;
    case "step_state_changed":
      stepOf(fold, event.subtask_id).state = event.to;
      return;
    case "subtask_started":
      stepOf(fold, event.subtask_id).attempt = event.attempt;
      return;
    case "subtask_completed":
      fold.current?.outcomes.set(StepIdSchema.parse(event.subtask_id), outcomeOf(event));
      return;
    case "agent_spawned":
    case "agent_stopped":
      agentOfStep(fold, event);
      return;
    default:
      assertNever(event);
  }
}

function moved(fold: Fold, to: RunState, at: number): void {
  fold.state = to;
  if (fold.pausedAt !== null && fold.started_at !== null) fold.paused_ms += at - fold.pausedAt;
  fold.pausedAt = to === "paused" ? at : null;
  if (to === "planning" || to === "running") fold.started_at ??= at;
}

function planned(fold: Fold, event: StoredEvent<"plan_produced">): void {
  const { plan, kept, replans_used, document_before } = event;
  const steps = new Map(
    plan.steps.map(({ id }) => [id, { state: "waiting", attempt: 1 } as StepFold]),
  );
  const outcomes = new Map<StepId, StepOutcome>();
  for (const id of kept) {
    const outcome = fold.current?.outcomes.get(id);
    if (outcome === undefined) continue;
    steps.set(id, { state: "succeeded", attempt: 1 });
    outcomes.set(id, outcome);
  }
  if (!fold.before.has(plan.final_output)) fold.before.set(plan.final_output, document_before);
  fold.current = { plan, replans: replans_used, steps, outcomes, isGivenUp: false };
}

function stepOf(fold: Fold, id: string): StepFold {
  const step_id = StepIdSchema.parse(id);
  const known = fold.current?.steps.get(step_id);
  if (known !== undefined) return known;
  const made: StepFold = { state: "waiting", attempt: 1 };
  fold.current?.steps.set(step_id, made);
  return made;
}

/** A step's own agent; one that an agent started belongs to that one. */
function agentOfStep(fold: Fold, event: StoredEvent<"agent_spawned" | "agent_stopped">): void {
  const { step_id, agent_id } = event;
  if (step_id === undefined || agent_id === undefined) return;
  const step = stepOf(fold, step_id);
  if (event.kind === "agent_stopped") {
    if (step.agent === agent_id) delete step.agent;
  } else if (event.parent_agent === undefined) step.agent = AgentId.parse(agent_id);
}

function outcomeOf(event: StoredEvent<"subtask_completed">): StepOutcome {
  if (event.success) return { ok: true, text: event.text ?? "", outputs: event.outputs };
  const { error, reason, hint } = event;
  const failure = {
    code: (error ?? "step_failed") as Extract<StepOutcome, { ok: false }>["failure"]["code"],
    message: reason ?? "it failed",
    class: event.class ?? ("fatal" as const),
    ...(hint === undefined ? {} : { hint }),
  };
  return { ok: false, failure };
}
