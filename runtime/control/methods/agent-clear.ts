import type { ControlDeps } from "../deps.js";
import { findAgent } from "../find-id.js";
import type { CallHandler } from "../handler.js";

/** An agent that lives on forgets what was said to it; the transcript stays in the journal. */
export function agentClear({ engine, reader }: ControlDeps): CallHandler<"agent.clear"> {
  return async ({ agent_id }, { peer }) => {
    const id = findAgent(reader, agent_id);
    await engine.agents.clear(id, peer);
    return { ok: true, agent_id: id };
  };
}
