import { actorOf } from "../../runs/peer.js";
import type { ControlDeps } from "../deps.js";
import { findMemory } from "../find-id.js";
import type { CallHandler } from "../handler.js";

/** Erases memories for good: from what is found, from the index, and from the journal. */
export function memoryForget({ memory }: ControlDeps): CallHandler<"memory.forget"> {
  return async ({ memory_ids, owner = null }, { peer }) => {
    const ids = memory_ids.map((query) => findMemory(memory, query));
    const report = await memory.forget({ memory_ids: ids, owner }, actorOf(peer));
    return { ok: true, ...report };
  };
}
