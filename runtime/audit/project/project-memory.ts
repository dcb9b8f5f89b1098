import type { Database } from "../../store/open.js";
import { type Handlers, illegal, unknownId } from "./handler.js";

/** The table `memories`: stored, found, deleted. Replacing is a deletion and a storing in one append. */
export function memoryHandlers(
  db: Database,
): Handlers<"memory_stored" | "memory_queried" | "memory_deleted"> {
  const known = db.prepare("SELECT 1 FROM memories WHERE memory_id = ?");
  const insert = db.prepare(
    `INSERT INTO memories (memory_id, stored_seq, used_seq, owner, category, stored_at, used_at, replaces, content)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const use = db.prepare("UPDATE memories SET used_seq = ?, used_at = ? WHERE memory_id = ?");
  const remove = db.prepare("DELETE FROM memories WHERE memory_id = ? AND owner = ?");
  return {
    memory_stored: ({ memory_id, owner, category, content, replaces, seq, time }) => {
      if (known.get(memory_id) !== undefined)
        throw illegal(`memory ${memory_id} was stored before`);
      insert.run(memory_id, seq, seq, owner, category, time, time, replaces ?? null, content);
    },
    // What was found may be gone by now: nothing is used then.
    memory_queried: ({ memory_ids, seq, time }) => {
      for (const id of memory_ids) use.run(seq, time, id);
    },
    memory_deleted: ({ memory_id, owner }) => {
      if (remove.run(memory_id, owner).changes === 0) throw unknownId("memory", memory_id);
    },
  };
}
