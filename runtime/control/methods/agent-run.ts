import type { ControlDeps } from "../deps.js";
import { findAgent } from "../find-id.js";
import type { CallHandler } from "../handler.js";

/** A message to an agent: its answer, or the word that the message lies in its mailbox. */
export function agentRun({ engine, reader }: ControlDeps): CallHandler<"agent.run"> {
  return async ({ agent_id, message, wait }, { peer, signal }) => {
    const id = findAgent(reader, agent_id);
    const sent = await engine.agents.run(id, message, wait, peer, signal);
    return "report" in sent ? sent.report : { trace_id: sent.trace_id, status: "delivered" };
  };
}
