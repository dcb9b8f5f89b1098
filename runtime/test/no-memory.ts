import type { MemoryPort } from "../protocol/memory.js";

const refuse = () => Promise.reject(new Error("no memory here"));

/** For tools that remember nothing. */
export const NO_MEMORY: MemoryPort = { store: refuse, query: refuse, delete: refuse };
