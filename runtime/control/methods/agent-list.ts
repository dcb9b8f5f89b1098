import type { ControlDeps } from "../deps.js";
import type { CallHandler } from "../handler.js";

/** Agents; without `all` those not stopped. */
export function agentList({ reader }: ControlDeps): CallHandler<"agent.list"> {
  return ({ all }) => ({ agents: [...reader.agents({ all })] });
}
