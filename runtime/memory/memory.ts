import type { AuditEvent, EventBody } from "../protocol/event.js";
import type { MemoryEntry, MemoryFinding, MemoryPort, MemoryRules } from "../protocol/memory.js";

/** Writes events as one append, as the subject that the caller stands for. */
export type WriteEvents = (...bodies: readonly EventBody[]) => Promise<readonly AuditEvent[]>;

/** A search; `null` is any. */
export interface MemorySearch {
  readonly query: string;
  readonly owner: string | null;
  readonly category: string | null;
  readonly limit: number;
}

export interface ForgetReport {
  /** Memories that were there and are gone. */
  readonly memories: number;
  /** Events whose content was erased. */
  readonly erased: number;
  /** Events of agents at work that still hold some of it. */
  readonly kept: number;
}

export interface MemoryStatus {
  readonly memories: number;
  readonly owners: number;
  readonly vectors: number;
  /** The model that makes vectors; null where words alone are searched. */
  readonly model: string | null;
  /** Why meaning is not searched, or not by all; null where all is well. */
  readonly problem: string | null;
}

/** What agents remember. Rows are written by events alone; this room searches them, and keeps the vectors by which it does. */
export interface Memory {
  readonly portFor: (rules: MemoryRules, record: WriteEvents) => MemoryPort;
  /** As an operator: every identity unless one is named. */
  readonly query: (
    wanted: MemorySearch,
    actor: string,
    signal: AbortSignal,
  ) => Promise<MemoryFinding>;
  readonly list: (filter: {
    readonly owner?: string | undefined;
    readonly category?: string | undefined;
    readonly limit: number;
  }) => readonly MemoryEntry[];
  readonly match: (query: string) => readonly string[];
  /**
   * Erases memories with all that they replaced: from the memory, from the index and from the journal, whose chain still verifies.
   * Transcripts of agents at work keep what they hold.
   */
  readonly forget: (
    wanted: { readonly memory_ids: readonly string[]; readonly owner: string | null },
    actor: string,
  ) => Promise<ForgetReport>;
  readonly status: () => Promise<MemoryStatus>;
  /** Resolves when every memory has its vector, or something stands in the way. */
  readonly settled: () => Promise<void>;
  /** Erases what was not used for longer than the settings allow; done every hour, too. */
  readonly sweep: () => Promise<number>;
  readonly close: () => Promise<void>;
}
