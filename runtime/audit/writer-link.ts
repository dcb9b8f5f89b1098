import type { Worker } from "node:worker_threads";
import { assertNever } from "../base/assert-never.js";
import { errorText } from "../base/error-text.js";
import { AgentdError } from "../protocol/agentd-error.js";
import type { AuditEvent } from "../protocol/event.js";
import {
  type AppendOutcome,
  fromRecord,
  type PreparedEvent,
  type Signature,
  type SignedHead,
  type WriterAnswer,
  type WriterRequest,
} from "./writer-protocol.js";

const HEAD_INTERVAL_MS = 1_000;
/** Events of one transaction at most, so that handing them over never holds the loop up. One append is never parted. */
const MAX_BATCH_EVENTS = 1_000;

export interface JournalStats {
  readonly events: number;
  /** Transactions that were synced; less than `events` where appends shared one. */
  readonly commits: number;
  /** Appends that wait for their sync now. */
  readonly waiting: number;
  /** Why the last head could not be signed; null when all is well. */
  readonly head_problem: string | null;
}

type Listener = (events: readonly AuditEvent[]) => void;

interface PendingAppend {
  readonly events: readonly PreparedEvent[];
  readonly resolve: (events: readonly AuditEvent[]) => void;
  readonly reject: (error: AgentdError) => void;
}

/**
 * The loop's end of the writer thread: the queue of appends, one request under way at a time, the timer of signed heads, and the
 * subscribers. Owns the thread from the first line of its life to its exit.
 */
export class WriterLink {
  /** Settles when the database is open, or rejects with why it is not. */
  readonly opened: Promise<void>;
  readonly #worker: Worker;
  readonly #now: () => number;
  readonly #onHead: ((head: SignedHead) => void) | undefined;
  readonly #exited: Promise<void>;
  readonly #listeners = new Set<Listener>();
  #queue: PendingAppend[] = [];
  #sent: readonly PendingAppend[] = [];
  #busy = true;
  #pumpScheduled = false;
  #headTimer: NodeJS.Timeout | undefined;
  #headDue = false;
  #closing = false;
  #failure: AgentdError | undefined;
  #events = 0;
  #commits = 0;
  #headProblem: string | null = null;

  constructor(worker: Worker, now: () => number, onHead: ((head: SignedHead) => void) | undefined) {
    this.#worker = worker;
    this.#now = now;
    this.#onHead = onHead;
    this.#exited = new Promise((resolve) => {
      worker.once("exit", () => {
        this.#fail("the journal is closed");
        resolve();
      });
    });
    worker.on("error", (thrown) => {
      this.#fail(`the journal's thread died: ${errorText(thrown)}`, thrown);
    });
    this.opened = new Promise((resolve, reject) => {
      worker.once("message", (answer: WriterAnswer) => {
        if (answer.type === "failed") {
          reject(fromRecord(answer.error));
          return;
        }
        this.#busy = false;
        worker.on("message", (next: WriterAnswer) => {
          this.#answered(next);
        });
        resolve();
      });
      worker.once("error", reject);
      worker.once("exit", () => {
        reject(closedError("the journal's thread ended before it was open"));
      });
    });
  }

  append(events: readonly PreparedEvent[]): Promise<readonly AuditEvent[]> {
    const { promise, resolve, reject } = deferred<readonly AuditEvent[]>();
    if (this.#failure !== undefined) reject(this.#failure);
    else if (this.#closing) reject(closedError("the journal is closed"));
    else {
      this.#queue.push({ events, resolve, reject });
      this.#schedulePump();
    }
    return promise;
  }

  subscribe(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  stats(): JournalStats {
    return {
      events: this.#events,
      commits: this.#commits,
      waiting: this.#queue.length + this.#sent.length,
      head_problem: this.#headProblem,
    };
  }

  close(): Promise<void> {
    if (!this.#closing) {
      this.#closing = true;
      clearTimeout(this.#headTimer);
      this.#schedulePump();
    }
    return this.#exited;
  }

  /** At the end of the loop's turn, so that all that one turn appends goes together. */
  #schedulePump(): void {
    if (this.#busy || this.#pumpScheduled) return;
    this.#pumpScheduled = true;
    setImmediate(() => {
      this.#pumpScheduled = false;
      this.#pump();
    });
  }

  #pump(): void {
    if (this.#busy || this.#failure !== undefined) return;
    const request = this.#nextRequest();
    if (request === undefined) return;
    this.#busy = true;
    this.#worker.postMessage(request);
  }

  #nextRequest(): WriterRequest | undefined {
    if (this.#headDue) {
      this.#headDue = false;
      return { type: "sign_head", time: this.#time() };
    }
    if (this.#queue.length > 0) {
      this.#sent = this.#takeBatch();
      return { type: "append", appends: this.#sent.map((pending) => pending.events) };
    }
    return this.#closing ? { type: "close", time: this.#time() } : undefined;
  }

  #takeBatch(): readonly PendingAppend[] {
    let events = 0;
    let count = 0;
    for (const pending of this.#queue) {
      events += pending.events.length;
      if (count > 0 && events > MAX_BATCH_EVENTS) break;
      count += 1;
    }
    return this.#queue.splice(0, count);
  }

  #time(): string {
    return new Date(this.#now()).toISOString();
  }

  #answered(answer: WriterAnswer): void {
    this.#busy = false;
    switch (answer.type) {
      case "opened":
        break;
      case "append":
        this.#appended(answer.outcomes);
        break;
      case "sign_head":
      case "close":
        this.#signed(answer);
        break;
      case "failed":
        this.#fail(answer.error.message);
        break;
      default:
        assertNever(answer);
    }
    this.#schedulePump();
  }

  /** Those who wait are told before those who listen, but run after them: a promise's reactions come in a later microtask. */
  #appended(outcomes: readonly AppendOutcome[]): void {
    const stored: AuditEvent[] = [];
    for (const [index, pending] of this.#sent.entries()) {
      const outcome = outcomes[index];
      if (outcome === undefined) pending.reject(closedError("the journal's thread gave no answer"));
      else if (outcome.ok) {
        const events = numbered(pending.events, outcome.first_seq);
        for (const event of events) stored.push(event);
        pending.resolve(events);
      } else pending.reject(fromRecord(outcome.error));
    }
    this.#sent = [];
    if (stored.length === 0) return;
    this.#events += stored.length;
    this.#commits += 1;
    this.#startHeadTimer();
    for (const listener of this.#listeners) deliver(listener, stored);
  }

  #startHeadTimer(): void {
    if (this.#closing || this.#headTimer !== undefined) return;
    this.#headTimer = setTimeout(() => {
      this.#headTimer = undefined;
      this.#headDue = true;
      this.#pump();
    }, HEAD_INTERVAL_MS);
  }

  #signed({ head, problem }: Signature): void {
    this.#headProblem = problem?.message ?? null;
    if (problem !== null) this.#startHeadTimer();
    if (head !== null) this.#onHead?.(head);
  }

  /** Nothing more can be written; whoever waits is told so. The first reason stands. */
  #fail(message: string, cause?: unknown): void {
    this.#failure ??= closedError(message, cause);
    clearTimeout(this.#headTimer);
    for (const pending of [...this.#sent, ...this.#queue]) pending.reject(this.#failure);
    this.#sent = [];
    this.#queue = [];
  }
}

function numbered(prepared: readonly PreparedEvent[], firstSeq: number): readonly AuditEvent[] {
  return prepared.map(
    ({ id, time, event }, index) => ({ seq: firstSeq + index, id, time, ...event }) as AuditEvent,
  );
}

/** A listener that throws harms neither the journal nor the other listeners; its error surfaces as an uncaught one. */
function deliver(listener: Listener, events: readonly AuditEvent[]): void {
  try {
    listener(events);
  } catch (thrown) {
    queueMicrotask(() => {
      throw thrown;
    });
  }
}

function closedError(message: string, cause?: unknown): AgentdError {
  return new AgentdError("unavailable", "append event", message, {
    hint: "Restart the daemon: `systemctl restart agentd`; its log tells why the journal stopped.",
    cause,
  });
}

interface Deferred<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (error: AgentdError) => void;
}

function deferred<T>(): Deferred<T> {
  let settle: Omit<Deferred<T>, "promise"> | undefined;
  const promise = new Promise<T>((resolve, reject) => {
    settle = { resolve, reject };
  });
  if (settle === undefined) throw new TypeError("a promise runs its executor at once");
  return { promise, ...settle };
}
