import type { Database } from "../store/open.js";
import type { EntryVector } from "./index-protocol.js";
import { dropCoarse } from "./sync-index.js";

/** How many of the nearest by their bits are compared exactly. The extension's time grows with it: 128 of 100,000 take some 10 ms. */
const CANDIDATES = 128;

export interface VectorTables {
  /** The nearest first: of one identity or all, of one category or all. None where no vector of this model is there. */
  readonly nearest: (
    vector: { readonly model: string; readonly values: Float32Array },
    of: { readonly owner: string | null; readonly category: string | null; readonly limit: number },
  ) => readonly number[];
  readonly withoutVector: (model: string, limit: number) => readonly number[];
  readonly put: (model: string, vectors: readonly EntryVector[]) => void;
}

/**
 * Vectors of one model. They are searched twice: the bits of their signs, which are small enough to look through a hundred thousand
 * in a few ms (sqlite-vec), give candidates, and these are put in order by the whole vectors. As soon as another model is spoken of,
 * all that the one before made are dropped.
 */
export function vectorTables(index: Database): VectorTables {
  const get = index.prepare<[string], { value: string }>("SELECT value FROM meta WHERE key = ?");
  const set = index.prepare("INSERT OR REPLACE INTO meta VALUES (?, ?)");
  const missing = index.prepare<[number], { entry_id: number }>(
    `SELECT e.entry_id FROM entries e LEFT JOIN vectors v USING (entry_id)
     WHERE v.entry_id IS NULL ORDER BY e.entry_id LIMIT ?`,
  );
  const entry = index.prepare<[number], { owner: string; category: string }>(
    "SELECT owner, category FROM entries WHERE entry_id = ?",
  );
  const putVector = index.prepare("INSERT OR REPLACE INTO vectors VALUES (?, ?)");

  const use = (model: string, dimensions: number | null): void => {
    const same = get.get("model")?.value === model;
    const before = Number(get.get("dimensions")?.value ?? 0);
    if (same && (dimensions === null || dimensions === before || before === 0)) {
      if (dimensions !== null && before === 0) create(dimensions);
      return;
    }
    index.exec("DELETE FROM vectors; DROP TABLE IF EXISTS coarse");
    set.run("model", model);
    set.run("dimensions", "0");
    if (dimensions !== null) create(dimensions);
  };
  const create = (dimensions: number): void => {
    index.exec(`CREATE VIRTUAL TABLE coarse USING vec0(
      entry_id INTEGER PRIMARY KEY, owner TEXT PARTITION KEY, category TEXT, bits bit[${paddedBits(dimensions)}])`);
    set.run("dimensions", String(dimensions));
  };
  return {
    nearest: ({ model, values }, of) => {
      use(model, null);
      if (Number(get.get("dimensions")?.value ?? 0) !== values.length) return [];
      return nearestOf(index, values, of);
    },
    withoutVector: (model, limit) => {
      use(model, null);
      return missing.all(limit).map((row) => row.entry_id);
    },
    put: index.transaction((model: string, vectors: readonly EntryVector[]) => {
      for (const { entry_id, values } of vectors) {
        use(model, values.length);
        const of = entry.get(entry_id);
        // Deleted while it was being embedded.
        if (of === undefined) continue;
        dropCoarse(index, entry_id);
        putVector.run(entry_id, blobOf(values));
        index
          .prepare(
            "INSERT INTO coarse (entry_id, owner, category, bits) VALUES (?, ?, ?, vec_bit(?))",
          )
          .run(BigInt(entry_id), of.owner, of.category, signBits(values));
      }
    }),
  };
}

function nearestOf(
  index: Database,
  values: Float32Array,
  { owner, category, limit }: Parameters<VectorTables["nearest"]>[1],
): readonly number[] {
  const within = [
    ...(owner === null ? [] : ["AND owner = @owner"]),
    ...(category === null ? [] : ["AND category = @category"]),
  ].join(" ");
  const rows = index
    .prepare<[Readonly<Record<string, unknown>>], { entry_id: number }>(
      `WITH near AS (SELECT entry_id FROM coarse WHERE bits MATCH vec_bit(@bits) AND k = ${CANDIDATES} ${within})
       SELECT entry_id FROM near JOIN vectors USING (entry_id)
       ORDER BY vec_distance_cosine(embedding, @vector) LIMIT @limit`,
    )
    .all({
      bits: signBits(values),
      vector: blobOf(values),
      limit,
      ...(owner === null ? {} : { owner }),
      ...(category === null ? {} : { category }),
    });
  return rows.map((row) => row.entry_id);
}

function blobOf(values: Float32Array): Buffer {
  return Buffer.from(values.buffer, values.byteOffset, values.byteLength);
}

/** The extension takes whole bytes only. */
function paddedBits(dimensions: number): number {
  return Math.ceil(dimensions / 8) * 8;
}

function signBits(values: Float32Array): Buffer {
  const bits = Buffer.alloc(paddedBits(values.length) / 8);
  for (const [i, value] of values.entries()) {
    if (value > 0) bits[i >> 3] = (bits[i >> 3] ?? 0) | (1 << (i & 7));
  }
  return bits;
}
