import { z } from "zod";
import { toolOutput } from "../../protocol/tool-call.js";
import { defineTool } from "../define-tool.js";

/** Gives the message back: the smallest tool, for trying the path of a call. */
export const echo = defineTool({
  name: "echo",
  description: "Returns the message unchanged.",
  input: z.strictObject({ message: z.string().max(65_536) }),
  read_only: true,
  implied_by: [],
  run: ({ message }) => Promise.resolve(toolOutput({ message })),
});
