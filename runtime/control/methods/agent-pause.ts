import type { ControlDeps } from "../deps.js";
import { findAgent } from "../find-id.js";
import type { CallHandler } from "../handler.js";

/** An agent that lives on takes no new turn until it is resumed; its mailbox stays open. */
export function agentPause({ engine, reader }: ControlDeps): CallHandler<"agent.pause"> {
  return async ({ agent_id }, { peer }) => {
    const id = findAgent(reader, agent_id);
    await engine.agents.pause(id, peer);
    return { ok: true, agent_id: id };
  };
}
