import type { FoundMemory } from "../protocol/memory.js";

/** What passes between the daemon's loop (`index-link.ts`) and the thread that searches (`index-thread.ts`). Plain data only. */

export interface IndexThreadData {
  /** The one database, read only. */
  readonly database: string;
  /** The search index, which the thread alone opens. */
  readonly index: string;
}

/** Every request sees all that was committed before it was sent. */
export type IndexRequest =
  /** `owner: null` is all identities. A vector is searched only with the model that made it. */
  | {
      readonly type: "search";
      readonly query: string;
      readonly vector: { readonly model: string; readonly values: Float32Array } | null;
      readonly owner: string | null;
      readonly category: string | null;
      readonly limit: number;
    }
  /** Memories without a vector of this model, oldest first. Vectors of any other model are dropped. */
  | { readonly type: "pending"; readonly model: string; readonly limit: number }
  | { readonly type: "embedded"; readonly model: string; readonly vectors: readonly EntryVector[] }
  /** Where the journal holds what is to be forgotten: these memories with all that they replaced, or all of an identity. */
  | {
      readonly type: "traces";
      readonly memory_ids: readonly string[];
      readonly owner: string | null;
    }
  | { readonly type: "status" }
  | { readonly type: "close" };
export type IndexRequestOf<T extends IndexRequest["type"]> = Extract<IndexRequest, { type: T }>;

export interface EntryVector {
  readonly entry_id: number;
  readonly values: Float32Array;
}

export interface IndexAnswers {
  readonly search: readonly FoundMemory[];
  readonly pending: readonly { readonly entry_id: number; readonly content: string }[];
  readonly embedded: null;
  readonly traces: Traces;
  readonly status: IndexStatus;
  readonly close: null;
}

export interface Traces {
  /** Events whose content is to be erased, ascending. */
  readonly seqs: readonly number[];
  /** Events of runs that have not ended, which still hold some of it: their agents need them. */
  readonly kept: number;
}

export interface IndexStatus {
  readonly entries: number;
  readonly vectors: number;
  readonly model: string | null;
  readonly no_vectors: string | null;
}

export type NumberedRequest = IndexRequest & { readonly id: number };
export type NumberedAnswer =
  | { readonly id: number; readonly ok: true; readonly value: unknown }
  | { readonly id: number; readonly ok: false; readonly message: string };
