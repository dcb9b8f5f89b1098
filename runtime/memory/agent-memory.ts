import { createHash } from "node:crypto";
import { type Entropy, ulid } from "../base/ulid.js";
import { AgentdError } from "../protocol/agentd-error.js";
import type { EventBody } from "../protocol/event.js";
import { MemoryId } from "../protocol/ids.js";
import type { MemoryFinding, MemoryPort, MemoryRules } from "../protocol/memory.js";
import type { PortFailure } from "../protocol/ports.js";
import type { StoreReader } from "../store/reader.js";
import type { MemorySearch, WriteEvents } from "./memory.js";

export interface AgentMemoryDeps {
  readonly reader: StoreReader;
  readonly entropy: Entropy;
  /** One change after the other, so that what was looked at still holds when it is written. */
  readonly inTurn: <T>(change: () => Promise<T>) => Promise<T>;
  readonly search: (
    wanted: MemorySearch,
    record: WriteEvents,
    signal: AbortSignal,
  ) => Promise<MemoryFinding>;
}

/** One agent's memory: that of its identity, within its manifest's limits. */
export function agentMemory(
  rules: MemoryRules,
  record: WriteEvents,
  deps: AgentMemoryDeps,
): MemoryPort {
  const { owner, refused } = rules;
  return {
    store: (memory) => {
      const barred = refused ?? rules.store_refused;
      if (barred !== null) return Promise.resolve(denied(barred));
      return deps.inTurn(() => store(memory, rules, record, deps));
    },
    query: async ({ query, limit, category = null }, signal) => {
      if (refused !== null) return denied(refused);
      const found = await deps.search({ query, owner, category, limit }, record, signal);
      return { ok: true, value: found };
    },
    delete: (memoryId) => {
      if (refused !== null) return Promise.resolve(denied(refused));
      return deps.inTurn(async () => {
        const id = ownMemory(memoryId, owner, deps.reader);
        if (id === undefined) return unknown(memoryId);
        await record({ kind: "memory_deleted", memory_id: id, owner, reason: "deleted" });
        return { ok: true, value: { memory_id: id } };
      });
    },
  };
}

async function store(
  { content, category, replaces }: Parameters<MemoryPort["store"]>[0],
  { owner, max_records, max_content_bytes }: MemoryRules,
  record: WriteEvents,
  { reader, entropy }: AgentMemoryDeps,
): ReturnType<MemoryPort["store"]> {
  const bytes = Buffer.byteLength(content);
  if (bytes > max_content_bytes) {
    const message = `content has ${bytes} bytes; a memory has at most ${max_content_bytes}: store the point of it`;
    return failure("too_large", message);
  }
  const old = replaces === undefined ? undefined : ownMemory(replaces, owner, reader);
  if (replaces !== undefined && old === undefined) return unknown(replaces);
  const over = reader.memoryCount(owner) - (old === undefined ? 0 : 1) + 1 - max_records;
  const evicted = reader
    .leastUsed(owner, Math.max(0, over) + 1)
    .filter(({ memory_id }) => memory_id !== old)
    .slice(0, Math.max(0, over));
  const id = MemoryId.parse(ulid(entropy));
  const gone = (memory_id: string, reason: "replaced" | "evicted"): EventBody => ({
    kind: "memory_deleted",
    memory_id: MemoryId.parse(memory_id),
    owner,
    reason,
  });
  try {
    await record(
      ...(old === undefined ? [] : [gone(old, "replaced")]),
      ...evicted.map(({ memory_id }) => gone(memory_id, "evicted")),
      {
        kind: "memory_stored",
        memory_id: id,
        owner,
        category,
        content,
        content_hash: createHash("sha256").update(content).digest("hex"),
        ...(old === undefined ? {} : { replaces: old }),
      },
    );
  } catch (thrown) {
    // An operator made it forgotten just now: then nothing was stored either.
    if (thrown instanceof AgentdError && thrown.code === "unknown_id")
      return unknown(replaces ?? "");
    throw thrown;
  }
  return { ok: true, value: { memory_id: id, evicted: evicted.length } };
}

/** The whole id of a memory of this identity; another's is as unknown as one that is not there. */
function ownMemory(memoryId: string, owner: string, reader: StoreReader): MemoryId | undefined {
  const found = reader.memory(memoryId.toUpperCase());
  return found?.owner === owner ? MemoryId.parse(found.memory_id) : undefined;
}

function unknown(memoryId: string): PortFailure {
  return failure(
    "not_found",
    `you have no memory ${JSON.stringify(memoryId)}; memory_query gives ids`,
  );
}

function failure(kind: "not_found" | "too_large", message: string): PortFailure {
  return { ok: false, kind, message };
}

function denied(message: string): PortFailure {
  return { ok: false, kind: "denied", message, denial: { layer: "token", message } };
}
