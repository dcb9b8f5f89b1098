import type { AuditEvent, EventKind } from "../../protocol/event.js";
import type { Database } from "../../store/open.js";
import { type Handlers, unknownId } from "./handler.js";
import { agentHandlers } from "./project-agent.js";
import { approvalHandlers } from "./project-approval.js";
import { contentHandlers } from "./project-content.js";
import { mailboxHandlers } from "./project-mailbox.js";
import { memoryHandlers } from "./project-memory.js";
import { runHandlers } from "./project-run.js";
import { scheduleHandlers } from "./project-schedule.js";
import { stepHandlers } from "./project-step.js";
import { tokenHandlers } from "./project-token.js";

/** Kinds that change no table. A kind that is neither here nor handled does not compile. */
const UNPROJECTED = [
  "plan_rejected",
  "plan_replanned",
  "planner_reply",
  "budget_raised",
  "subtask_ttl_expired",
  "subtask_output_missing",
  "agent_execution_completed",
  "agent_loop_stopped",
  "agent_nudged",
  "message_appended",
  "message_sent",
  "message_answered",
  "session_cleared",
  "model_call_retried",
  "model_call_failed",
  "context_summarized",
  "context_summarization_failed",
  "session_store_error",
  "tool_invoked",
  "tool_result",
  "tool_repeat",
  "tool_repeat_guard_fired",
  "capability_denied",
  "capability_withheld",
  "daemon_started",
  "daemon_stopped",
  "catalog_entry_disabled",
  "configuration_reloaded",
  "egress_decided",
  "mcp_server_changed",
  "mcp_tools_changed",
  "operator_call",
  "slot_confirmed",
  "slot_fallback",
  "backup_restored",
  "workspace_removed",
] as const satisfies readonly EventKind[];

/** Whether an event of this kind changes a table, so that a replay cannot do without its content. */
export function isProjected(kind: string): boolean {
  return !(UNPROJECTED as readonly string[]).includes(kind);
}

type ProjectedKind = Exclude<EventKind, (typeof UNPROJECTED)[number]>;

/**
 * How each kind of event changes the tables; called in the event's own transaction, by the writer and by the verifier's replay.
 * Throws `unknown_id` or `illegal_transition` where the event cannot be.
 */
export function projector(db: Database): (event: AuditEvent) => void {
  const handlers: Handlers<ProjectedKind> = {
    ...runHandlers(db),
    ...stepHandlers(db),
    ...agentHandlers(db),
    ...tokenHandlers(db),
    ...approvalHandlers(db),
    ...contentHandlers(db),
    ...memoryHandlers(db),
    ...scheduleHandlers(db),
    ...mailboxHandlers(db),
  };
  const byKind = new Map(Object.entries(handlers) as [string, (event: AuditEvent) => void][]);
  const run = db.prepare("SELECT 1 FROM runs WHERE run_id = ?");
  return (event) => {
    const { run_id, kind } = event;
    if (run_id !== undefined && kind !== "run_submitted" && run.get(run_id) === undefined)
      throw unknownId("run", run_id);
    byKind.get(kind)?.(event);
  };
}
