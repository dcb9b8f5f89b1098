import { createHash } from "node:crypto";
import type { Journal } from "../audit/journal.js";
import type { Entropy } from "../base/ulid.js";
import { MemoryId } from "../protocol/ids.js";
import type { StoreReader } from "../store/reader.js";
import { type AgentMemoryDeps, agentMemory } from "./agent-memory.js";
import { openBacklog } from "./embed-backlog.js";
import { type EmbedderChoice, queryVector } from "./embedder.js";
import { erasures } from "./erase.js";
import { openIndexLink } from "./index-link.js";
import type { Memory, Record } from "./memory.js";

const DAY_MS = 86_400_000;
/** Memories that one sweep erases at most; the next goes on. */
const SWEEP_LIMIT = 1_000;

export interface MemoryOptions {
  readonly journal: Journal;
  readonly reader: StoreReader;
  readonly entropy: Entropy;
  /** The one database, and the search index beside it. */
  readonly database: string;
  readonly index: string;
  readonly embedder: EmbedderChoice;
  /** Memories that were not used for so many days are erased; 0 keeps them. */
  readonly retentionDays: number;
  readonly log: (level: "info" | "warn", message: string, fields?: object) => void;
}

/** Owns the search thread and the embedder until it is closed. */
export function openMemory(options: MemoryOptions): Memory {
  const { journal, reader, embedder, entropy, log } = options;
  const link = openIndexLink({ database: options.database, index: options.index });
  const backlog = embedder.ok
    ? openBacklog(link, embedder.embedder, (problem) => {
        log("warn", "memories could not be embedded", { problem });
      })
    : undefined;
  const unsubscribe = journal.subscribe((events) => {
    if (events.some(({ kind }) => kind === "memory_stored")) backlog?.kick();
  });
  backlog?.kick();
  const inTurn = turns();

  const search: AgentMemoryDeps["search"] = async (wanted, record, signal) => {
    const asked = await queryVector(embedder, wanted.query, signal);
    const vector = "vector" in asked ? asked.vector : null;
    const results = await link.ask("search", { ...wanted, vector });
    await record({
      kind: "memory_queried",
      owner: wanted.owner,
      query_hash: createHash("sha256").update(wanted.query).digest("hex"),
      results_count: results.length,
      memory_ids: results.map(({ memory_id }) => MemoryId.parse(memory_id)),
    });
    const text_only = "problem" in asked ? asked.problem : null;
    return { ok: true, value: { results, text_only } };
  };
  const by = (actor: string): Record => {
    return (...bodies) => journal.append(bodies.map((body) => ({ actor, ...body })));
  };
  const remove = async (
    keys: readonly { readonly memory_id: string; readonly owner: string }[],
    seqs: readonly number[],
    reason: "forgotten" | "expired",
    record: Record,
  ): Promise<void> => {
    await record(
      ...keys.map(({ memory_id, owner }) => ({
        kind: "memory_deleted" as const,
        memory_id: MemoryId.parse(memory_id),
        owner,
        reason,
      })),
      ...erasures(seqs, `memory ${reason}`),
    );
  };

  return {
    portFor: (rules, record) => agentMemory(rules, record, { reader, entropy, inTurn, search }),
    query: async (wanted, actor, signal) => {
      const found = await search(wanted, by(actor), signal);
      if (!found.ok) return { results: [], text_only: found.message };
      return found.value;
    },
    list: (filter) => reader.memories(filter),
    match: (query) => reader.matchMemory(query),
    forget: ({ memory_ids, owner }, actor) =>
      inTurn(async () => {
        const { seqs, kept } = await link.ask("traces", { memory_ids, owner });
        const keys = [
          ...memory_ids.flatMap((id) => reader.memory(id) ?? []),
          ...(owner === null ? [] : reader.memories({ owner, limit: 1_000_000 })),
        ];
        const once = [...new Map(keys.map((key) => [key.memory_id, key])).values()];
        await remove(once, seqs, "forgotten", by(actor));
        // Synced here, so that the index has lost it too when this returns.
        await link.ask("status", {});
        return { memories: once.length, erased: seqs.length, kept };
      }),
    status: async () => {
      const { entries, vectors, no_vectors } = await link.ask("status", {});
      const reason = embedder.ok ? (no_vectors ?? backlog?.problem() ?? null) : embedder.reason;
      return {
        memories: entries,
        owners: reader.memoryOwners().length,
        vectors,
        model: embedder.ok && no_vectors === null ? embedder.embedder.model : null,
        problem: reason,
      };
    },
    settled: async () => backlog?.idle(),
    sweep: () =>
      inTurn(async () => {
        if (options.retentionDays === 0) return 0;
        const before = new Date(entropy.now() - options.retentionDays * DAY_MS).toISOString();
        const keys = reader.unusedSince(before, SWEEP_LIMIT);
        if (keys.length === 0) return 0;
        const seqs = keys.map(({ stored_seq }) => stored_seq).sort((a, b) => a - b);
        await remove(keys, seqs, "expired", by("daemon"));
        return keys.length;
      }),
    close: async () => {
      unsubscribe();
      await backlog?.close();
      if (embedder.ok) await embedder.embedder.close();
      await link.close();
    },
  };
}

/** Carries changes out one after the other, whatever became of the one before. */
function turns(): AgentMemoryDeps["inTurn"] {
  let last: Promise<unknown> = Promise.resolve();
  return (change) => {
    const next = last.then(change, change);
    last = next.catch(() => undefined);
    return next;
  };
}
