import { AgentdError } from "../protocol/agentd-error.js";
import type { ErrorCode } from "../protocol/error-code.js";
import type { NewEvent } from "../protocol/event.js";

/** What passes between the daemon's loop (`journal.ts`) and the thread that writes (`writer-thread.ts`). Plain data only. */

/** An event as the loop made it ready: redacted, with its id, time and salt (hex). The thread gives it its `seq`. */
export interface PreparedEvent {
  readonly id: string;
  readonly time: string;
  readonly salt: string;
  readonly event: NewEvent;
}

export interface WriterData {
  readonly path: string;
}

/** One request is under way at a time; each has exactly one answer, of the same `type`. */
export type WriterRequest =
  | { readonly type: "append"; readonly appends: readonly (readonly PreparedEvent[])[] }
  | { readonly type: "sign_head"; readonly time: string }
  | { readonly type: "close"; readonly time: string };

export type WriterAnswer =
  | { readonly type: "opened" }
  | { readonly type: "append"; readonly outcomes: readonly AppendOutcome[] }
  | ({ readonly type: "sign_head" | "close" } & Signature)
  | { readonly type: "failed"; readonly error: ErrorRecord };

/** No head where nothing was new; a problem where it could not be written down, which is tried again later. */
export interface Signature {
  readonly head: SignedHead | null;
  readonly problem: ErrorRecord | null;
}

export type AppendOutcome =
  | { readonly ok: true; readonly first_seq: number }
  | { readonly ok: false; readonly error: ErrorRecord };

/** The end of the chain at a time, signed with the machine's key (base64). */
export interface SignedHead {
  readonly seq: number;
  readonly hash: string;
  readonly time: string;
  readonly signature: string;
}

/** An `AgentdError` as plain data: classes do not survive the way between threads. */
export interface ErrorRecord {
  readonly code: ErrorCode;
  readonly op: string;
  readonly message: string;
  readonly hint: string;
}

export function toRecord(error: AgentdError): ErrorRecord {
  return { code: error.code, op: error.op, message: error.message, hint: error.hint };
}

export function fromRecord(record: ErrorRecord): AgentdError {
  return new AgentdError(record.code, record.op, record.message, { hint: record.hint });
}
