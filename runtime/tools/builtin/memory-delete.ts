import { z } from "zod";
import { toolOutput } from "../../protocol/tool-call.js";
import { defineTool } from "../define-tool.js";
import { fromPort } from "../from-port.js";
import { MemoryIdText } from "../memory-id.js";

/** Takes one memory of this agent's identity out of what is found. The journal keeps that it was there; an operator can erase it. */
export const memoryDelete = defineTool({
  name: "memory_delete",
  description: "Deletes one of this agent's memories by the id that memory_query gave.",
  input: z.strictObject({ memory_id: MemoryIdText }),
  read_only: false,
  implied_by: [],
  run: async ({ memory_id }, { memory }) => {
    const deleted = await memory.delete(memory_id);
    if (!deleted.ok) return fromPort(deleted);
    return toolOutput({ memory_id: deleted.value.memory_id, status: "deleted" });
  },
});
