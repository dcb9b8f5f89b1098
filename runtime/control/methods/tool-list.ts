import type { ControlDeps } from "../deps.js";
import type { CallHandler } from "../handler.js";

/** What models can call, as they see it. */
export function toolList({ toolSpecs }: ControlDeps): CallHandler<"tool.list"> {
  return () => ({
    tools: toolSpecs().map(({ name, description, input_schema }) => ({
      name,
      description,
      input_schema,
    })),
  });
}
