import type { AgentSummary } from "../../protocol/control.js";
import type { NewEvent } from "../../protocol/event.js";
import { AgentId, RunId, StepId } from "../../protocol/ids.js";
import type { Manifest } from "../../protocol/manifest.js";
import { endOfAgent } from "../spawn-agent.js";
import { specOfKept } from "./find-spec.js";
import type { Living } from "./living.js";
import { type Agents, newLiving } from "./open-agents.js";
import type { WorkPlace } from "./work.js";

/**
 * The agents that an earlier daemon left: those that live on are there again, with the same id, transcript, tokens and mailbox, and
 * go on where they were. A child ended with the call it was made for, and a server's holder with the server: nobody waits for them.
 */
export async function recoverAgents(agents: Agents, place: WorkPlace): Promise<void> {
  const { deps } = place;
  for (const found of deps.reader.agents({ all: false })) {
    const id = AgentId.parse(found.agent_id);
    const manifest = found.run_id === null ? deps.reader.manifestOf(id) : undefined;
    if (manifest !== undefined) agents.adopt(livingOf(id, found, manifest, place));
    else if (found.run_id === null || found.parent_agent !== null)
      await deps.journal.append(orphanEnds(found, place));
  }
}

function livingOf(
  id: AgentId,
  { lifecycle, state, owner_uid }: AgentSummary,
  manifest: Manifest,
  place: WorkPlace,
): Living {
  const [birth] = place.deps.reader.events({
    ...{ agent_id: id, kind: ["agent_spawned"], after_seq: 0, limit: 1, reverse: false },
  });
  const found = { spawned_seq: birth?.seq, paused: state === "paused", owner_uid };
  return newLiving(id, specOfKept(manifest), lifecycle, place, found);
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
