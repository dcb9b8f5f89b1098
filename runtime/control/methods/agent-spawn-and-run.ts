import type { ControlDeps } from "../deps.js";
import type { CallHandler } from "../handler.js";

/** A new on-demand agent and its answer to one message; the agent stays. */
export function agentSpawnAndRun({ engine }: ControlDeps): CallHandler<"agent.spawn_and_run"> {
  return ({ message, ...source }, { peer, signal }) =>
    engine.agents.spawnAndRun(source, message, peer, signal);
}
