import type { ControlDeps } from "../deps.js";
import { findAgent } from "../find-id.js";
import type { CallHandler } from "../handler.js";

/** Ends one agent; its step fails. */
export function agentStop({ engine, reader }: ControlDeps): CallHandler<"agent.stop"> {
  return async ({ agent_id }, { peer }) => {
    const id = findAgent(reader, agent_id);
    await engine.stopAgent(id, peer);
    return { ok: true, agent_id: id };
  };
}
