import type { Database } from "../store/open.js";

interface Point {
  readonly seq: number;
  readonly hash: string;
}

interface Memory {
  readonly memory_id: string;
  readonly owner: string;
  readonly category: string;
  readonly content: string;
}

/**
 * Brings the index to where the journal stands: new memories get an entry and their text, deleted ones lose all they had. An index
 * that is ahead of its journal, or of another history, is emptied and filled again. `source` is read in one snapshot.
 */
export function indexSync(source: Database, index: Database): () => void {
  const newest = source.prepare<[], Point>(
    "SELECT seq, hash FROM events ORDER BY seq DESC LIMIT 1",
  );
  const at = source.prepare<[number], Point>("SELECT seq, hash FROM events WHERE seq = ?");
  const stored = source.prepare<[number, number], Memory>(
    `SELECT memory_id, owner, category, content FROM memories
     WHERE stored_seq > ? AND stored_seq <= ? ORDER BY stored_seq`,
  );
  const deleted = source.prepare<[number, number], { memory_id: string | null }>(
    `SELECT payload ->> 'memory_id' AS memory_id FROM events
     WHERE kind = 'memory_deleted' AND seq > ? AND seq <= ?`,
  );
  const get = index.prepare<[string], { value: string }>("SELECT value FROM meta WHERE key = ?");
  const set = index.prepare("INSERT OR REPLACE INTO meta VALUES (?, ?)");
  const entry = index.prepare("INSERT INTO entries (memory_id, owner, category) VALUES (?, ?, ?)");
  const text = index.prepare("INSERT INTO texts (rowid, scope, content) VALUES (?, ?, ?)");
  const entryOf = index.prepare<[string], { entry_id: number }>(
    "SELECT entry_id FROM entries WHERE memory_id = ?",
  );
  const ids = index.prepare<[], { memory_id: string }>("SELECT memory_id FROM entries");
  const dropEntry = index.prepare("DELETE FROM entries WHERE entry_id = ?");
  const dropText = index.prepare("DELETE FROM texts WHERE rowid = ?");

  const drop = (memoryId: string): void => {
    const found = entryOf.get(memoryId);
    if (found === undefined) return;
    dropCoarse(index, found.entry_id);
    dropText.run(found.entry_id);
    dropEntry.run(found.entry_id);
  };
  const synced = (): Point => {
    const seq = Number(get.get("synced_seq")?.value ?? 0);
    const hash = get.get("synced_hash")?.value ?? "";
    if (seq === 0 || at.get(seq)?.hash === hash) return { seq, hash };
    for (const { memory_id } of ids.all()) drop(memory_id);
    return { seq: 0, hash: "" };
  };
  const catchUp = index.transaction(() => {
    const to = newest.get();
    const from = synced();
    if (to === undefined || to.seq <= from.seq) return;
    for (const memory of stored.all(from.seq, to.seq)) {
      const { lastInsertRowid } = entry.run(memory.memory_id, memory.owner, memory.category);
      text.run(lastInsertRowid, scopeOf(memory.owner, memory.category), memory.content);
    }
    for (const { memory_id } of deleted.all(from.seq, to.seq))
      if (memory_id !== null) drop(memory_id);
    set.run("synced_seq", String(to.seq));
    set.run("synced_hash", to.hash);
  });
  return () => {
    source.exec("BEGIN");
    try {
      catchUp.immediate();
    } finally {
      source.exec("COMMIT");
    }
  };
}

/** Two words of the indexed text that no content holds, by which a search is kept to one identity and one category. */
function scopeOf(owner: string, category: string): string {
  return `${scopeWord("owner", owner)} ${scopeWord("category", category)}`;
}

export function scopeWord(kind: "owner" | "category", value: string): string {
  return `${kind}x${Buffer.from(value, "utf8").toString("hex")}x`;
}

/** The bits are overwritten before they go: the extension only marks a place as free. */
export function dropCoarse(index: Database, entryId: number): void {
  const there = index.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'coarse'").get();
  if (there === undefined) return;
  const row = index
    .prepare<[number], { bits: Buffer }>("SELECT bits FROM coarse WHERE entry_id = ?")
    .get(entryId);
  if (row === undefined) return;
  index
    .prepare("UPDATE coarse SET bits = vec_bit(?) WHERE entry_id = ?")
    .run(Buffer.alloc(row.bits.length), BigInt(entryId));
  index.prepare("DELETE FROM coarse WHERE entry_id = ?").run(BigInt(entryId));
}
