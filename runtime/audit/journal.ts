import { Worker } from "node:worker_threads";
import type { Entropy } from "../base/ulid.js";
import { AgentdError } from "../protocol/agentd-error.js";
import type { AuditEvent, NewEvent } from "../protocol/event.js";
import { prepareEvent } from "./prepare-event.js";
import { type JournalStats, WriterLink } from "./writer-link.js";
import type { SignedHead, WriterData } from "./writer-protocol.js";

interface JournalOptions {
  /** The database; made and migrated where needed. */
  readonly path: string;
  readonly entropy: Entropy;
  /** Applied to every string of every payload before it is stored or shown to anybody. */
  readonly redact: (text: string) => string;
  /** Given each signed head, at most one a second, to be kept where the database's keeper cannot change it. */
  readonly onHead?: (head: SignedHead) => void;
}

/** The one way to write domain rows. Events are given in `seq` order, and nothing is given before it is durable. */
export interface Journal {
  /**
   * Resolves when all of these events are on the disk, with their projections; rejects, with nothing of them stored, where one
   * of them is illegal (`illegal_transition`, `unknown_id`) or the disk is full (`disk_full`). Calls take effect in their order.
   */
  readonly append: (events: readonly NewEvent[]) => Promise<readonly AuditEvent[]>;
  /** Every event appended from now on, a transaction's at a time. The result ends the subscription. */
  readonly subscribe: (listener: (events: readonly AuditEvent[]) => void) => () => void;
  readonly stats: () => JournalStats;
  /** Waits for what was appended, signs the head, closes the database. Later appends are rejected. */
  readonly close: () => Promise<void>;
}

/**
 * Opens the journal on a thread of its own: the caller's loop never waits for the disk. All that was appended while one
 * transaction is being synced goes into the next, so that a sync is shared (group commit). Throws `already_running` where another
 * process writes this database, and as `openDatabase` and `migrate` do.
 */
export async function openJournal(options: JournalOptions): Promise<Journal> {
  const { path, entropy, redact, onHead } = options;
  const workerData: WriterData = { path };
  const worker = new Worker(new URL("./writer-thread.js", import.meta.url), {
    workerData,
    execArgv: [],
  });
  const link = new WriterLink(worker, entropy.now, onHead);
  await link.opened;
  return {
    append: (events) => {
      if (events.length === 0) return Promise.resolve([]);
      try {
        return link.append(events.map((event) => prepareEvent(event, entropy, redact)));
      } catch (thrown) {
        return Promise.reject(
          new AgentdError("internal", "append event", "an event could not be made ready", {
            cause: thrown,
          }),
        );
      }
    },
    subscribe: (listener) => link.subscribe(listener),
    stats: () => link.stats(),
    close: () => link.close(),
  };
}
