import { actorOf } from "../../runs/peer.js";
import type { ControlDeps } from "../deps.js";
import type { CallHandler } from "../handler.js";

/** A search as agents make it, over every identity or one. */
export function memoryQuery({ memory }: ControlDeps): CallHandler<"memory.query"> {
  return async ({ query, owner = null, category = null, limit }, { peer, signal }) => {
    const found = await memory.query({ query, owner, category, limit }, actorOf(peer), signal);
    return { results: [...found.results], text_only: found.text_only };
  };
}
