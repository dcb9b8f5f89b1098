import { z } from "zod";
import type { MemoryId } from "./ids.js";
import type { PortResult } from "./ports.js";

/** What a memory is about. The words are the seed's. */
export const MEMORY_CATEGORIES = ["fact", "observation", "decision", "preference"] as const;
export const MemoryCategory = z.enum(MEMORY_CATEGORIES);
export type MemoryCategory = z.infer<typeof MemoryCategory>;

/** One thing that an agent remembers. `owner` is its identity: the name of its role or manifest. Times are RFC 3339. */
export const MemoryEntry = z.strictObject({
  memory_id: z.string(),
  owner: z.string(),
  category: MemoryCategory,
  content: z.string(),
  stored_at: z.string(),
  /** When it was last stored or found. */
  used_at: z.string(),
  /** The memory that it took the place of. */
  replaces: z.string().nullable(),
});
export type MemoryEntry = z.infer<typeof MemoryEntry>;

/** A memory that a query found. `score` is 1 for one that both searches put first. */
export const FoundMemory = z.strictObject({ ...MemoryEntry.shape, score: z.number() });
export type FoundMemory = z.infer<typeof FoundMemory>;

/** What a query came to; `text_only` says why meaning was not searched, where it was not. */
export interface MemoryFinding {
  readonly results: readonly FoundMemory[];
  readonly text_only: string | null;
}

/** Whose memory an agent has and what it may do with it. */
export interface MemoryRules {
  readonly owner: string;
  /** Why it has none, or may not store; null where it may. */
  readonly refused: string | null;
  readonly store_refused: string | null;
  readonly max_records: number;
  readonly max_content_bytes: number;
}

/** One agent's way to its memory. Nothing of another identity is ever found, replaced or deleted through it. */
export interface MemoryPort {
  /** Durable when it resolves. With `replaces`, the old one is gone in the same transaction. */
  readonly store: (
    memory: {
      readonly content: string;
      readonly category: MemoryCategory;
      readonly replaces?: string;
    },
    signal: AbortSignal,
  ) => Promise<PortResult<{ readonly memory_id: MemoryId; readonly evicted: number }>>;
  readonly query: (
    query: { readonly query: string; readonly limit: number; readonly category?: MemoryCategory },
    signal: AbortSignal,
  ) => Promise<PortResult<MemoryFinding>>;
  readonly delete: (memoryId: string) => Promise<PortResult<{ readonly memory_id: MemoryId }>>;
}
