import type { ApprovalSummary } from "../protocol/approval.js";
import type { AgentSummary, AuditFilter, RunSummary, StepSummary } from "../protocol/control.js";
import type { AuditEvent, ErasedEvent } from "../protocol/event.js";
import type { Manifest } from "../protocol/manifest.js";
import type { Plan } from "../protocol/plan.js";
import type { RunRequest } from "../protocol/run.js";
import type { ScheduleSummary } from "../protocol/schedule.js";
import type { Token } from "../protocol/token.js";
import type { MemoryQueries } from "./memory-queries.js";

export interface RunDetail extends RunSummary {
  readonly request: RunRequest;
  readonly plan: Plan | null;
  readonly steps: readonly StepSummary[];
  readonly final_output: string | null;
  readonly final_text: string | null;
  readonly documents: readonly string[];
  readonly error: { readonly kind: string; readonly message: string } | null;
  readonly last_seq: number;
}

export interface ApprovalQuery {
  readonly run_id?: string;
  readonly agent_id?: string;
}

export interface ApprovalDetail extends ApprovalSummary {
  readonly call_id: string | null;
  readonly requested_seq: number;
}

export interface AgentDetail extends AgentSummary {
  readonly tokens: readonly (Token & {
    readonly revoked_at: number | null;
    readonly uses: number;
  })[];
}

/** A filter of the API, and whose runs' events alone are wanted. */
export type EventFilter = AuditFilter & { readonly owner_uid?: number };

/** What has been committed, on a connection of its own: a reader never waits for the writer, nor the writer for it. */
export interface StoreReader extends MemoryQueries {
  /** Newest first; without `all` only those not ended. */
  readonly runs: (options: { readonly all: boolean }) => readonly RunSummary[];
  readonly run: (runId: string) => RunDetail | undefined;
  /** Runs that ended before this time (RFC 3339 in UTC) and of which no agent lives, oldest first. */
  readonly runsEndedBefore: (time: string, limit: number) => readonly string[];
  readonly agents: (options: { readonly all: boolean }) => readonly AgentSummary[];
  readonly agent: (agentId: string) => AgentDetail | undefined;
  /** Messages that wait for the agent, oldest first. */
  readonly mail: (agentId: string) => readonly {
    readonly trace_id: string;
    readonly method: string;
    readonly sender: string;
    readonly text: string;
  }[];
  /** What the agent was made of, where it belongs to no step. */
  readonly manifestOf: (agentId: string) => Manifest | undefined;
  /** Ids that equal, start with or end with `query`, upper-cased; an exact match comes alone. */
  readonly matchRun: (query: string) => readonly string[];
  readonly matchAgent: (query: string) => readonly string[];
  /** Newest first; without `all` those that are still to come. */
  readonly schedules: (options: { readonly all: boolean }) => readonly ScheduleSummary[];
  readonly schedule: (scheduleId: string) => ScheduleSummary | undefined;
  readonly matchSchedule: (query: string) => readonly string[];
  /** What operators were asked, of a run or an agent; without either, all that waits for an answer. */
  readonly approvals: (query: ApprovalQuery) => readonly ApprovalDetail[];
  readonly approval: (approvalId: string) => ApprovalDetail | undefined;
  readonly matchApproval: (query: string) => readonly string[];
  readonly events: (filter: EventFilter) => readonly (AuditEvent | ErasedEvent)[];
  /** Uid of who submitted the run; null where the socket could not tell, undefined where there is no such run. */
  readonly ownerOf: (runId: string) => number | null | undefined;
  readonly close: () => void;
}
