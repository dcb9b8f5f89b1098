import { expect, it } from "vitest";
import { entryOf, headEntry } from "./audit-to-journal.js";
import type { AuditEvent } from "./protocol/event.js";
import { formatEntry } from "./system-journal.js";

const envelope = { seq: 7, id: "01", time: "2026-01-01T00:00:00.000Z", actor: "agent" };
const run_id = "01KATJ5W3N6Q0H8Y2M4RZ7XVCE";
const agent_id = "01KATJ5W3N6Q0H8Y2M4RZ7XVCF";

it("an event is a line with its run, step, agent and kind, and nothing of what it was about", () => {
  const event = {
    ...{ ...envelope, run_id, agent_id, step_id: "fetch", kind: "tool_result", tool: "file_read" },
    ...{ success: false, error_kind: "denied", result_preview: "the secret plan", denials: [] },
  } as unknown as AuditEvent;
  const entry = entryOf(event);
  expect(entry).toEqual({
    MESSAGE: `tool_result tool=file_read success=false error_kind=denied run ${run_id}`,
    PRIORITY: 6,
    SYSLOG_IDENTIFIER: "agentd",
    AAOS_KIND: "tool_result",
    AAOS_SEQ: 7,
    AAOS_RUN: run_id,
    AAOS_STEP: "fetch",
    AAOS_AGENT: agent_id,
    AAOS_ACTOR: "agent",
  });
  expect(formatEntry(entry)).not.toContain("secret plan");
});

it("a goal's text stays in the database, where it can be erased", () => {
  const event = { ...envelope, run_id, kind: "run_submitted", goal: "find my keys" };
  expect(formatEntry(entryOf(event as unknown as AuditEvent))).not.toContain("keys");
});

it("what was refused or has failed is a warning", () => {
  const denied = { ...envelope, kind: "operator_call", method: "system.status", allowed: false };
  expect(entryOf(denied as unknown as AuditEvent)["PRIORITY"]).toBe(4);
  const allowed = { ...denied, allowed: true };
  expect(entryOf(allowed as unknown as AuditEvent)["PRIORITY"]).toBe(6);
});

it("a head is written whole, so that it can be compared", () => {
  const head = { seq: 9, hash: "ab", time: envelope.time, signature: "cd", key: "ef" };
  expect(JSON.parse(String(headEntry(head as never)["AAOS_HEAD"]))).toEqual(head);
});
