import { AgentdError } from "../../protocol/agentd-error.js";
import { AgentId } from "../../protocol/ids.js";
import type { Living } from "./living.js";
import type { Agents } from "./open-agents.js";

const OP = "find agent";

/** The one agent that lives on under this id or name. Throws `unknown_id` and `ambiguous_id`. */
export function findLiving(agents: Agents, text: string): Living {
  const id = AgentId.safeParse(text);
  const byId = id.success ? agents.get(id.data) : undefined;
  if (byId !== undefined) return byId;
  const [first, ...others] = agents.named(text);
  if (first === undefined)
    throw new AgentdError("unknown_id", OP, `no agent ${JSON.stringify(text)} lives here`, {
      hint: "`agentd list` shows the agents; `agentd agents spawn MANIFEST` starts one.",
    });
  if (others.length === 0) return first;
  const ids = [first, ...others].map((one) => one.id).join(", ");
  throw new AgentdError(
    "ambiguous_id",
    OP,
    `${others.length + 1} agents are called ${text}: ${ids}`,
  );
}
