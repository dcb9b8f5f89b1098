import type { AuditEvent } from "../../protocol/event.js";

/** What is told to an operator who is not there: one flat JSON object. Everything in it comes from the journal, redacted as it is there. */
export type Notice = {
  readonly run_id: string | null;
  /** When it happened, RFC 3339. */
  readonly time: string;
  /** One sentence that stands for itself. */
  readonly text: string;
  /** What the run is for, at most 300 characters; null where it is not known. */
  readonly goal: string | null;
} & (
  | { readonly kind: "run_failed"; readonly reason: string | null; readonly error: string | null }
  | {
      readonly kind: "approval_waiting";
      readonly approval_id: string;
      readonly subject: string;
      readonly tool: string;
      readonly capability: string | null;
      readonly expires_at: string;
    }
  | { readonly kind: "upgrade_kept"; readonly version: string }
  | { readonly kind: "upgrade_left"; readonly version: string; readonly reason: string }
);

const GOAL_CHARS = 300;

/** What an event has to tell, if anything. What a call was to write or send is not in it: whoever approves looks with `agentd approvals`. */
export function noticeOf(
  event: AuditEvent,
  goalOf: (runId: string) => string | undefined,
): Notice | undefined {
  const run_id = event.run_id ?? null;
  const about = () => ({
    ...{ run_id, time: event.time },
    goal: run_id === null ? null : (cut(goalOf(run_id)) ?? null),
  });
  if (event.kind === "run_state_changed" && event.to === "failed") {
    const { reason = null, error = null } = event;
    const why = reason ?? error;
    const text = `run ${run_id} failed${why === null ? "" : `: ${why}`}`;
    return { kind: "run_failed", ...about(), text, reason, error };
  }
  if (event.kind === "human_approval_requested") {
    const { approval_id, subject, tool, capability = null, expires_at } = event;
    const text = `${event.description}: agentd approve ${approval_id}, or agentd deny ${approval_id}`;
    return {
      kind: "approval_waiting",
      ...about(),
      ...{ text, approval_id, subject, tool, capability, expires_at },
    };
  }
  if (event.kind === "slot_confirmed") {
    const { slot, version } = event;
    const text = `version ${version} in slot ${slot} has proved that it works, and is kept`;
    return { kind: "upgrade_kept", ...about(), text, version };
  }
  if (event.kind === "slot_fallback") {
    const { from, to, version, reason } = event;
    const text = `version ${version} in slot ${from} did not prove that it works, and was left for slot ${to}: ${reason}`;
    return { kind: "upgrade_left", ...about(), text, version, reason };
  }
  return undefined;
}

function cut(goal: string | undefined): string | undefined {
  return goal === undefined || goal.length <= GOAL_CHARS
    ? goal
    : `${goal.slice(0, GOAL_CHARS - 1)}…`;
}
