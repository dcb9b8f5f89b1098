import type { z } from "zod";
import { toolFailure } from "../protocol/tool-call.js";
import type { Tool } from "./tool.js";

/**
 * A tool that takes unknown input: what does not fit its schema is answered with `invalid_input` naming the fields, before
 * anything is asked or done.
 */
export function defineTool<Input>(tool: Tool<Input>): Tool {
  return {
    ...tool,
    run: async (input, context) => {
      const parsed = tool.input.safeParse(input);
      if (!parsed.success) return toolFailure("invalid_input", explainInvalid(parsed.error));
      return tool.run(parsed.data, context);
    },
  };
}

/** Every problem of an input in one sentence, each with the field it is about. */
function explainInvalid(error: z.ZodError): string {
  return error.issues
    .map((issue) => {
      const field = issue.path.map(String).join(".");
      return field === "" ? issue.message : `${field}: ${issue.message}`;
    })
    .join("; ");
}
