import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { memorySearch } from "../memory/search.js";
import { indexSync } from "../memory/sync-index.js";
import { vectorTables } from "../memory/vectors.js";
import { migrate } from "../store/migrate.js";
import { openDatabase } from "../store/open.js";
import { openMemoryIndex } from "../store/open-memory-index.js";
import { recallSet } from "../test/recall-set.js";

const MEMORIES = 100_000;
const DIMENSIONS = 512;
const OWNERS = 10;
const BATCH = 1_000;

// Queries over a hundred thousand memories with vectors: of all identities at once, as an operator asks, and of one. `nearest_found`
// is the share of queries whose nearest memory by whole vectors came first: the bits, by which candidates are chosen, let it through.
// On a machine that is busy otherwise, `cpu` is the time of this process alone.
process.stdout.write(`${JSON.stringify(benchMemory())}\n`);

function benchMemory(): Readonly<Record<string, number>> {
  const dir = mkdtempSync(join(tmpdir(), "aaos-bench-memory-"));
  const source = openDatabase(join(dir, "aaos.db"), { readonly: false });
  migrate(source, dir);
  const { db: index } = openMemoryIndex(join(dir, "index.db"));
  try {
    fill(source);
    const syncStart = performance.now();
    indexSync(source, index)();
    const syncMs = performance.now() - syncStart;
    const vectors = vectorTables(index);
    for (let from = 1; from <= MEMORIES; from += BATCH) {
      vectors.put(
        "bench",
        Array.from({ length: BATCH }, (_, i) => ({
          entry_id: from + i,
          values: vectorOf(from + i),
        })),
      );
    }
    const search = memorySearch(source, index, vectors);
    const timed = (owner: string | null) =>
      recallSet()
        .questions.concat(recallSet().questions)
        .map(({ text }, i) => {
          const values = near(vectorOf((i * 997) % MEMORIES), i);
          const start = performance.now();
          const cpu = process.cpuUsage();
          search({
            ...{ type: "search", query: text, vector: { model: "bench", values } },
            ...{ owner, category: null, limit: 5 },
          });
          const { user, system } = process.cpuUsage(cpu);
          return { wall: performance.now() - start, cpu: (user + system) / 1_000 };
        });
    const all = timed(null);
    const one = timed("owner-3");
    const asked = Array.from({ length: 100 }, (_, i) => (i * 997) % MEMORIES || 1);
    const found = asked.filter((id, i) => {
      const wanted = { model: "bench", values: near(vectorOf(id), i) };
      return vectors.nearest(wanted, { owner: null, category: null, limit: 1 })[0] === id;
    });
    return {
      memories: MEMORIES,
      index_texts_ms: Math.round(syncMs),
      query_all_p50_ms: at(
        all.map(({ wall }) => wall),
        0.5,
      ),
      query_all_p95_ms: at(
        all.map(({ wall }) => wall),
        0.95,
      ),
      query_all_p95_cpu_ms: at(
        all.map(({ cpu }) => cpu),
        0.95,
      ),
      query_one_identity_p95_ms: at(
        one.map(({ wall }) => wall),
        0.95,
      ),
      nearest_found: found.length / asked.length,
    };
  } finally {
    index.close();
    source.close();
    rmSync(dir, { recursive: true, force: true });
  }
}

function fill(source: ReturnType<typeof openDatabase>): void {
  const { facts } = recallSet();
  const insert = source.prepare(
    `INSERT INTO memories (memory_id, stored_seq, used_seq, owner, category, stored_at, used_at, content)
     VALUES (?, ?, ?, ?, 'fact', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z', ?)`,
  );
  source.transaction(() => {
    for (let i = 1; i <= MEMORIES; i++) {
      const text = `${facts[i % facts.length]?.text ?? ""} Note ${i}, seen on host ${i % 977}.`;
      insert.run(String(i).padStart(26, "0"), i, i, `owner-${i % OWNERS}`, text);
    }
    source
      .prepare(
        `INSERT INTO events (seq, id, time, actor, kind, payload_digest, prev_hash, hash)
         VALUES (?, 'x', '2026-01-01T00:00:00.000Z', 'bench', 'daemon_started', '', '', 'h')`,
      )
      .run(MEMORIES);
  })();
}

/** A vector of length 1, the same for the same number. */
function vectorOf(seed: number): Float32Array {
  let state = (seed * 2_654_435_761) >>> 0 || 1;
  const values = new Float32Array(DIMENSIONS);
  let sum = 0;
  for (let i = 0; i < DIMENSIONS; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    const value = (state >>> 0) / 2 ** 32 - 0.5;
    values[i] = value;
    sum += value * value;
  }
  return values.map((value) => value / Math.sqrt(sum));
}

function near(values: Float32Array, seed: number): Float32Array {
  const other = vectorOf(seed + 7_000_000);
  return values.map((value, i) => value + 0.5 * (other[i] ?? 0));
}

function at(times: readonly number[], part: number): number {
  const sorted = [...times].sort((a, b) => a - b);
  return Math.round((sorted[Math.floor(sorted.length * part)] ?? 0) * 100) / 100;
}
