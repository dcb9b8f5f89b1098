import type { ControlDeps } from "../deps.js";
import type { CallHandler } from "../handler.js";

/** A new agent of a manifest, which lives until it is stopped; it is in the journal when the answer comes. */
export function agentSpawn({ engine }: ControlDeps): CallHandler<"agent.spawn"> {
  return async (source, { peer }) => ({ agent_id: await engine.agents.spawn(source, peer) });
}
