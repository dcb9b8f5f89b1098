import type { SignedHead } from "./audit/writer-protocol.js";
import type { AuditEvent } from "./protocol/event.js";
import type { JournalFields } from "./system-journal.js";

/**
 * Fields of an event that tell what happened without telling what it was about. Goals, arguments, results and reasons stay in the
 * database: there they can be erased, in the system's journal they could not.
 */
const TOLD = [
  "tool",
  "to",
  "role",
  "success",
  "allowed",
  "method",
  "uid",
  "verdict",
  "error_kind",
  "failure",
  "stop_reason",
  "version",
] as const;

/** Warnings are worth a look without being asked for: what was denied, refused or has failed. */
const NOTICE = 5;
const WARNING = 4;

/** One line for each event, so that `journalctl AAOS_RUN=ID`, `AAOS_AGENT=ID` and `AAOS_KIND=kind` work. */
export function entryOf(event: AuditEvent): JournalFields {
  const { kind, seq, run_id, step_id, agent_id, actor } = event;
  const told = TOLD.flatMap((name) => {
    const value: unknown = Reflect.get(event, name);
    return typeof value === "string" || typeof value === "number" || typeof value === "boolean"
      ? [`${name}=${value}`]
      : [];
  });
  return {
    MESSAGE: [kind, ...told, ...(run_id === undefined ? [] : [`run ${run_id}`])].join(" "),
    PRIORITY: isTrouble(event) ? WARNING : NOTICE + 1,
    SYSLOG_IDENTIFIER: "agentd",
    AAOS_KIND: kind,
    AAOS_SEQ: seq,
    AAOS_RUN: run_id,
    AAOS_STEP: step_id,
    AAOS_AGENT: agent_id,
    AAOS_ACTOR: actor,
  };
}

/** A signed head, kept where the keeper of the database cannot change it: what `agentd audit verify --heads` reads. */
export function headEntry(head: SignedHead): JournalFields {
  return {
    MESSAGE: `audit head ${head.seq}`,
    PRIORITY: NOTICE + 1,
    SYSLOG_IDENTIFIER: "agentd",
    AAOS_KIND: "audit_head",
    AAOS_SEQ: head.seq,
    AAOS_HEAD: JSON.stringify(head),
  };
}

const TROUBLE: ReadonlySet<string> = new Set([
  "capability_denied",
  "catalog_entry_disabled",
  "model_call_failed",
  "slot_fallback",
]);

function isTrouble(event: AuditEvent): boolean {
  if (event.kind === "operator_call") return !event.allowed;
  if (event.kind === "run_state_changed") return event.to === "failed";
  if (event.kind === "egress_decided") return event.verdict === "denied";
  return TROUBLE.has(event.kind);
}
