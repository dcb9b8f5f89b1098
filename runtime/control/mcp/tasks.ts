import { z } from "zod";
import { assertNever } from "../../base/assert-never.js";
import type { RunReport } from "../../protocol/control-results.js";
import type { JsonObject } from "../../protocol/json.js";
import type { RunState } from "../../protocol/run.js";

/** The extension by which a long call is answered with a handle: a run is the task, and its id the task's. */
export const TASKS_EXTENSION = "io.modelcontextprotocol/tasks";
const POLL_MS = 2_000;

export const TaskParams = z.looseObject({ taskId: z.string() });

/** Whether the client of a request said that it understands tasks. */
export function understandsTasks(envelope: unknown): boolean {
  const Envelope = z.looseObject({
    "io.modelcontextprotocol/clientCapabilities": z.looseObject({
      extensions: z.looseObject({ [TASKS_EXTENSION]: z.unknown() }),
    }),
  });
  return Envelope.safeParse(envelope).success;
}

type TaskStatus = "working" | "completed" | "failed" | "cancelled";

/** A run as the task it is. Waiting for an operator is work: what it waits for is asked on this machine, never of a client. */
export function taskOf(run: RunReport): JsonObject {
  const { status, message } = statusOf(run.state);
  return {
    taskId: run.run_id,
    status,
    ...(message === undefined ? {} : { statusMessage: message }),
    createdAt: run.submitted_at,
    lastUpdatedAt: run.ended_at ?? run.submitted_at,
    ttlMs: null,
    pollIntervalMs: POLL_MS,
  };
}

function statusOf(state: RunState): { readonly status: TaskStatus; readonly message?: string } {
  switch (state) {
    case "queued":
    case "planning":
    case "running":
      return { status: "working", message: state };
    case "paused":
      return { status: "working", message: "paused by the operator" };
    case "waiting_approval":
      return { status: "working", message: "waiting for the operator's approval" };
    case "succeeded":
      return { status: "completed" };
    case "failed":
      return { status: "failed" };
    case "cancelled":
      return { status: "cancelled" };
    default:
      return assertNever(state);
  }
}
