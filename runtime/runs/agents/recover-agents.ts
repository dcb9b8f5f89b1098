import type { AgentSummary } from "../../protocol/control.js";
import type { NewEvent } from "../../protocol/event.js";
import { AgentId, RunId, StepId } from "../../protocol/ids.js";
import { endOfAgent } from "../spawn-agent.js";
import { specOfKept } from "./find-spec.js";
import { type Agents, newLiving } from "./open-agents.js";
import type { WorkPlace } from "./work.js";

/**
 * The agents that an earlier daemon left: those that live on are there again, with the same id, transcript, tokens and mailbox, and
 * go on where they were. A child ended with the call it was made for: nobody waits for its answer any more.
 */
export async function recoverAgents(agents: Agents, place: WorkPlace): Promise<void> {
  const { deps } = place;
  for (const found of deps.reader.agents({ all: false })) {
    if (found.parent_agent !== null) await deps.journal.append(orphanEnds(found, place));
    else if (found.run_id === null) adopt(found, agents, place);
  }
}

function orphanEnds(found: AgentSummary, { shared }: WorkPlace): readonly NewEvent[] {
  const { run_id, step_id, name } = found;
  const of = {
    ...(run_id === null ? {} : { run_id: RunId.parse(run_id) }),
    ...(step_id === null ? {} : { step_id: StepId.parse(step_id) }),
  };
  const born = { id: AgentId.parse(found.agent_id), name, spawned_seq: undefined };
  return endOfAgent({ shared, of }, born, "error", "the daemon ended while it worked");
}

function adopt(found: AgentSummary, agents: Agents, place: WorkPlace): void {
  const { deps } = place;
  const id = AgentId.parse(found.agent_id);
  const manifest = deps.reader.manifestOf(id);
  if (manifest === undefined) return;
  const [birth] = deps.reader.events({
    ...{ agent_id: id, kind: ["agent_spawned"], after_seq: 0, limit: 1, reverse: false },
  });
  agents.adopt(
    newLiving(id, specOfKept(manifest), found.lifecycle, place, {
      spawned_seq: birth?.seq,
      paused: found.state === "paused",
    }),
  );
}
