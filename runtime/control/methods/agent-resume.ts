import type { ControlDeps } from "../deps.js";
import { findAgent } from "../find-id.js";
import type { CallHandler } from "../handler.js";

/** A paused agent goes on where it stood. */
export function agentResume({ engine, reader }: ControlDeps): CallHandler<"agent.resume"> {
  return async ({ agent_id }, { peer }) => {
    const id = findAgent(reader, agent_id);
    await engine.agents.resume(id, peer);
    return { ok: true, agent_id: id };
  };
}
