import type { FoundMemory, MemoryEntry } from "../protocol/memory.js";
import type { Database } from "../store/open.js";
import { fuseRanks } from "./fuse-ranks.js";
import type { IndexRequestOf } from "./index-protocol.js";
import { textQuery } from "./text-query.js";
import type { VectorTables } from "./vectors.js";

/** How many each search puts forward. */
const EACH = 50;

/**
 * Hybrid search: by words and by meaning, put together by rank. Whatever the index says, a memory is given only as the database has
 * it now, and only of the identity that was asked for.
 */
export function memorySearch(
  source: Database,
  index: Database,
  vectors: VectorTables | null,
): (request: IndexRequestOf<"search">) => readonly FoundMemory[] {
  const byText = index.prepare<[string, number], { rowid: number }>(
    "SELECT rowid FROM texts WHERE texts MATCH ? ORDER BY bm25(texts, 0.0, 1.0) LIMIT ?",
  );
  const memoryOf = index.prepare<[number], { memory_id: string }>(
    "SELECT memory_id FROM entries WHERE entry_id = ?",
  );
  const read = source.prepare<[string], MemoryEntry>(
    `SELECT memory_id, owner, category, content, stored_at, used_at, replaces FROM memories WHERE memory_id = ?`,
  );
  const lists = ({ query, vector, owner, category }: IndexRequestOf<"search">) => {
    const text = textQuery(query, { owner, category });
    const byWords = text === undefined ? [] : byText.all(text, EACH).map((row) => row.rowid);
    if (vector === null || vectors === null) return [byWords];
    return [byWords, vectors.nearest(vector, { owner, category, limit: EACH })];
  };
  return (request) => {
    const found: FoundMemory[] = [];
    for (const { id, score } of fuseRanks(lists(request))) {
      const memory = read.get(memoryOf.get(id)?.memory_id ?? "");
      if (memory === undefined || (request.owner !== null && memory.owner !== request.owner))
        continue;
      found.push({ ...memory, score });
      if (found.length === request.limit) break;
    }
    return found;
  };
}
