import { createHash } from "node:crypto";
import type { Journal } from "../audit/journal.js";
import type { Entropy } from "../base/ulid.js";
import { MemoryId } from "../protocol/ids.js";
import type { MemoryEntry, MemoryFinding, MemoryPort, MemoryRules } from "../protocol/memory.js";
import type { StoreReader } from "../store/reader.js";
import { type AgentMemoryDeps, agentMemory } from "./agent-memory.js";
import { type Backlog, openBacklog } from "./embed-backlog.js";
import { type EmbedderChoice, queryVector } from "./embedder.js";
import { erasures } from "./erase.js";
import { type IndexLink, openIndexLink } from "./index-link.js";
import type { ForgetReport, Memory, MemorySearch, MemoryStatus, WriteEvents } from "./memory.js";

const DAY_MS = 86_400_000;
/** Memories that one sweep erases at most; the next goes on. */
const SWEEP_LIMIT = 1_000;
const SWEEP_MS = 3_600_000;
/** No bound: an identity has far fewer. */
const ALL = 1_000_000_000;

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
  readonly log: (
    level: "info" | "warn",
    message: string,
    fields?: Readonly<Record<string, unknown>>,
  ) => void;
}

/** Owns the search thread and the embedder until it is closed. */
export function openMemory(options: MemoryOptions): Memory {
  return new OpenMemory(options);
}

class OpenMemory implements Memory {
  readonly #options: MemoryOptions;
  readonly #link: IndexLink;
  readonly #backlog: Backlog | undefined;
  readonly #unsubscribe: () => void;
  readonly #inTurn = turns();
  readonly #sweeper: NodeJS.Timeout;

  constructor(options: MemoryOptions) {
    const { journal, embedder, database, index, log } = options;
    this.#options = options;
    this.#link = openIndexLink({ database, index });
    const tell = (problem: string) => log("warn", "memories could not be embedded", { problem });
    this.#backlog = embedder.ok ? openBacklog(this.#link, embedder.embedder, tell) : undefined;
    this.#unsubscribe = journal.subscribe((events) => {
      if (events.some(({ kind }) => kind === "memory_stored")) this.#backlog?.kick();
    });
    this.#backlog?.kick();
    this.#sweeper = setInterval(() => void this.sweep().catch(() => undefined), SWEEP_MS);
    this.#sweeper.unref();
  }

  portFor(rules: MemoryRules, record: WriteEvents): MemoryPort {
    const { reader, entropy } = this.#options;
    return agentMemory(rules, record, {
      ...{ reader, entropy, inTurn: this.#inTurn },
      search: (wanted, write, signal) => this.#search(wanted, write, signal),
    });
  }

  async query(wanted: MemorySearch, actor: string, signal: AbortSignal): Promise<MemoryFinding> {
    return this.#search(wanted, this.#by(actor), signal);
  }

  list(filter: Parameters<Memory["list"]>[0]): readonly MemoryEntry[] {
    return this.#options.reader.memories(filter);
  }

  match(query: string): readonly string[] {
    return this.#options.reader.matchMemory(query);
  }

  forget(
    { memory_ids, owner }: Parameters<Memory["forget"]>[0],
    actor: string,
  ): Promise<ForgetReport> {
    const { reader } = this.#options;
    return this.#inTurn(async () => {
      const { seqs, kept } = await this.#link.ask("traces", { memory_ids, owner });
      const found = [
        ...memory_ids.flatMap((id) => reader.memory(id) ?? []),
        ...(owner === null ? [] : reader.memories({ owner, limit: ALL })),
      ];
      const once = [...new Map(found.map((one) => [one.memory_id, one])).values()];
      await this.#erase(once, seqs, "forgotten", actor);
      // Any question brings the index up to the journal, so that it has lost them too when this returns.
      await this.#link.ask("status", {});
      return { memories: once.length, erased: seqs.length, kept };
    });
  }

  async status(): Promise<MemoryStatus> {
    const { embedder, reader } = this.#options;
    const { entries, vectors, no_vectors } = await this.#link.ask("status", {});
    const reason = embedder.ok ? (no_vectors ?? this.#backlog?.problem() ?? null) : embedder.reason;
    return {
      memories: entries,
      owners: reader.memoryOwners().length,
      vectors,
      model: embedder.ok && no_vectors === null ? embedder.embedder.model : null,
      problem: reason,
    };
  }

  async settled(): Promise<void> {
    await this.#backlog?.idle();
  }

  sweep(): Promise<number> {
    const { reader, entropy, retentionDays } = this.#options;
    return this.#inTurn(async () => {
      if (retentionDays === 0) return 0;
      const before = new Date(entropy.now() - retentionDays * DAY_MS).toISOString();
      const old = reader.unusedSince(before, SWEEP_LIMIT);
      const seqs = old.map(({ stored_seq }) => stored_seq).sort((a, b) => a - b);
      await this.#erase(old, seqs, "expired", "daemon");
      return old.length;
    });
  }

  async close(): Promise<void> {
    const { embedder } = this.#options;
    this.#unsubscribe();
    clearInterval(this.#sweeper);
    await this.#inTurn(() => Promise.resolve());
    if (embedder.ok) await embedder.embedder.close();
    await this.#backlog?.close();
    await this.#link.close();
  }

  async #search(
    wanted: MemorySearch,
    record: WriteEvents,
    signal: AbortSignal,
  ): Promise<MemoryFinding> {
    const asked = await queryVector(this.#options.embedder, wanted.query, signal);
    const vector = "vector" in asked ? asked.vector : null;
    const results = await this.#link.ask("search", { ...wanted, vector });
    await record({
      kind: "memory_queried",
      owner: wanted.owner,
      query_hash: createHash("sha256").update(wanted.query).digest("hex"),
      results_count: results.length,
      memory_ids: results.map(({ memory_id }) => MemoryId.parse(memory_id)),
    });
    return { results, text_only: "problem" in asked ? asked.problem : null };
  }

  async #erase(
    memories: readonly { readonly memory_id: string; readonly owner: string }[],
    seqs: readonly number[],
    reason: "forgotten" | "expired",
    actor: string,
  ): Promise<void> {
    await this.#by(actor)(
      ...memories.map(({ memory_id, owner }) => ({
        kind: "memory_deleted" as const,
        memory_id: MemoryId.parse(memory_id),
        owner,
        reason,
      })),
      ...erasures(seqs, `memory ${reason}`),
    );
  }

  #by(actor: string): WriteEvents {
    const { journal } = this.#options;
    return (...bodies) => journal.append(bodies.map((body) => ({ actor, ...body })));
  }
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
