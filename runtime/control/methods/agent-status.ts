import { AgentdError } from "../../protocol/agentd-error.js";
import { confinementInForce } from "../confinement.js";
import type { ControlDeps } from "../deps.js";
import { findAgent } from "../find-id.js";
import type { CallHandler } from "../handler.js";

/** One agent with its tokens. */
export function agentStatus({ reader, engine }: ControlDeps): CallHandler<"agent.status"> {
  return ({ agent_id }) => {
    const id = findAgent(reader, agent_id);
    const agent = reader.agent(id);
    if (agent === undefined) throw new AgentdError("unknown_id", "get agent", `no agent ${id}`);
    return {
      ...agent,
      tokens: [...agent.tokens],
      budgets: [...engine.agents.budgets(id)],
      confinement: confinementInForce(reader, { agent_id: id }),
    };
  };
}
