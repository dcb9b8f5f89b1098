import { z } from "zod";
import { MEMORY_CATEGORIES } from "../../protocol/memory.js";
import { toolOutput } from "../../protocol/tool-call.js";
import { defineTool } from "../define-tool.js";
import { fromPort } from "../from-port.js";
import { MemoryIdText } from "../memory-id.js";

/** Remembers one thing for this agent's identity, in the daemon: no worker has a memory. */
export const memoryStore = defineTool({
  name: "memory_store",
  description:
    "Remembers one thing for later runs of this agent: one fact, observation, decision or preference a call, in a sentence or two " +
    "(at most 4 KiB). With `replaces`, the id of a memory that is no longer true, that one is gone and this one stands in its place. " +
    "Never store secrets.",
  input: z.strictObject({
    content: z
      .string()
      .max(65_536)
      .refine((text) => text.trim() !== "", "must not be empty"),
    category: z.enum(MEMORY_CATEGORIES).default("fact"),
    replaces: MemoryIdText.optional(),
  }),
  read_only: false,
  implied_by: [],
  run: async ({ content, category, replaces }, { memory, signal }) => {
    const what = { content, category, ...(replaces === undefined ? {} : { replaces }) };
    const stored = await memory.store(what, signal);
    if (!stored.ok) return fromPort(stored);
    const { memory_id, evicted } = stored.value;
    const output = { memory_id, status: "stored" };
    return toolOutput(evicted === 0 ? output : { ...output, evicted });
  },
});
