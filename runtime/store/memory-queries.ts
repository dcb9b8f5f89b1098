import type { MemoryEntry } from "../protocol/memory.js";
import { exactAlone } from "./exact-alone.js";
import type { Database } from "./open.js";

export interface MemoryFilter {
  readonly owner?: string | undefined;
  readonly category?: string | undefined;
  readonly limit: number;
}

/** What is needed to make room in, or to clear, the memory of one identity. */
export interface MemoryKey {
  readonly memory_id: string;
  readonly owner: string;
  readonly stored_seq: number;
}

export interface MemoryQueries {
  /** Newest first. */
  readonly memories: (filter: MemoryFilter) => readonly MemoryEntry[];
  readonly memory: (memoryId: string) => (MemoryEntry & MemoryKey) | undefined;
  /** Ids that equal, start with or end with `query`, upper-cased; an exact match comes alone. */
  readonly matchMemory: (query: string) => readonly string[];
  readonly memoryCount: (owner: string) => number;
  /** The `count` that were used longest ago. */
  readonly leastUsed: (owner: string, count: number) => readonly MemoryKey[];
  /** Those last used before `time` (RFC 3339), of all identities. */
  readonly unusedSince: (time: string, limit: number) => readonly MemoryKey[];
  readonly memoryOwners: () => readonly { readonly owner: string; readonly count: number }[];
}

const ENTRY = "memory_id, owner, category, content, stored_at, used_at, replaces";
const KEY = "memory_id, owner, stored_seq";

/** What agents remember, whoever may see it: the caller decides that. */
export function memoryQueries(db: Database): MemoryQueries {
  const list = db.prepare<[Readonly<Record<string, unknown>>], MemoryEntry>(
    `SELECT ${ENTRY} FROM memories WHERE (@owner IS NULL OR owner = @owner)
       AND (@category IS NULL OR category = @category) ORDER BY stored_seq DESC LIMIT @limit`,
  );
  const one = db.prepare<[string], MemoryEntry & MemoryKey>(
    `SELECT ${ENTRY}, stored_seq FROM memories WHERE memory_id = ?`,
  );
  const match = db.prepare<[{ query: string }], { memory_id: string }>(
    `SELECT memory_id FROM memories WHERE substr(memory_id, 1, length(@query)) = @query
       OR substr(memory_id, -length(@query)) = @query ORDER BY memory_id = @query DESC, stored_seq DESC`,
  );
  const count = db.prepare<[string], { n: number }>(
    "SELECT count(*) AS n FROM memories WHERE owner = ?",
  );
  const oldest = db.prepare<[string, number], MemoryKey>(
    `SELECT ${KEY} FROM memories WHERE owner = ? ORDER BY used_seq LIMIT ?`,
  );
  const unused = db.prepare<[string, number], MemoryKey>(
    `SELECT ${KEY} FROM memories WHERE used_at < ? ORDER BY used_seq LIMIT ?`,
  );
  const owners = db.prepare<[], { owner: string; count: number }>(
    "SELECT owner, count(*) AS count FROM memories GROUP BY owner ORDER BY owner",
  );
  return {
    memories: ({ owner = null, category = null, limit }) => list.all({ owner, category, limit }),
    memory: (memoryId) => one.get(memoryId),
    matchMemory: (query) =>
      exactAlone(
        match.all({ query: query.toUpperCase() }).map((row) => row.memory_id),
        query,
      ),
    memoryCount: (owner) => count.get(owner)?.n ?? 0,
    leastUsed: (owner, wanted) => oldest.all(owner, wanted),
    unusedSince: (time, limit) => unused.all(time, limit),
    memoryOwners: () => owners.all(),
  };
}
