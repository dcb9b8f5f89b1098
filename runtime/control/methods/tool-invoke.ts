import type { ControlDeps } from "../deps.js";
import { findAgent } from "../find-id.js";
import type { CallHandler } from "../handler.js";

/** One call of a tool with an agent's own tokens; what fails is a result with `error`. */
export function toolInvoke({ engine, reader }: ControlDeps): CallHandler<"tool.invoke"> {
  return async ({ agent_id, tool, input }, { signal }) => {
    const id = findAgent(reader, agent_id);
    const result = await engine.agents.invoke(id, tool, input, signal);
    return { result: result.ok ? result.output : { error: { ...result.error } } };
  };
}
