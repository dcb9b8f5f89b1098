import { ulid } from "../base/ulid.js";
import { makeCeiling } from "../policy/ceiling.js";
import { AgentdError } from "../protocol/agentd-error.js";
import type { Grant } from "../protocol/capability.js";
import type { EventBodyOf, EventContext, NewEvent } from "../protocol/event.js";
import { AgentId } from "../protocol/ids.js";
import type { Token } from "../protocol/token.js";
import { type AgentSkills, agentSkills } from "./agent-skills.js";
import { confinedAgent, watchTokens } from "./confined-agent.js";
import { memoryRules } from "./memory-rules.js";
import { recorder } from "./record.js";
import type { AgentHome, LiveAgent } from "./run-context.js";
import { grantedEvents, revokedEvents, underCeiling } from "./token-events.js";

export interface AgentWish {
  /** A new one where it has none yet. */
  readonly id?: AgentId;
  readonly name: string;
  readonly model: string;
  readonly grants: readonly Grant[];
  /** Of whose tokens its own are cut; without one they are issued by the daemon. */
  readonly parent?: AgentId;
  /** What its birth says beside. */
  readonly birth?: Omit<
    EventBodyOf<"agent_spawned">,
    "kind" | "manifest_name" | "model" | "parent_agent"
  >;
}

/** An agent that is in the journal and has not ended. */
export interface BornAgent {
  readonly id: AgentId;
  readonly name: string;
  /** `seq` of its birth. */
  readonly spawned_seq: number | undefined;
}

export interface SpawnedAgent extends LiveAgent {
  readonly spawned_seq: number | undefined;
  /** Closes its workers and revokes all it held. What that is in the journal is for the caller to write, with what follows from it. */
  readonly end: (reason: EndReason, message?: string) => Promise<readonly NewEvent[]>;
  /** Closes its workers and nothing else: in the journal it lives on, and is taken up again. */
  readonly letGo: () => Promise<void>;
}

export type EndReason = "completed" | "user_requested" | "error" | "timeout";

/**
 * A new agent with exactly the grants that the operator's ceiling leaves of its wish; those of a child are cut from its parent's.
 * Its birth, its tokens and what was withheld are in the journal before it can act. Throws `denied` where the parent does not hold
 * what the child asks for.
 */
export async function spawnAgent(home: AgentHome, wish: AgentWish): Promise<SpawnedAgent> {
  const { deps } = home;
  const { name, model, parent, birth } = wish;
  const { id = AgentId.parse(ulid(deps.entropy)) } = wish;
  const ceiling = ceilingOf(home);
  // First of all: where nothing can be confined, no agent is born.
  const ports = portsOf(home, id, ceiling);
  const { granted, withheld } = underCeiling(wish.grants, ceiling);
  const tokens = tokensFor(home, id, granted, parent);
  const [spawned] = await recorder(deps.journal, subjectOf(home, id))(
    {
      kind: "agent_spawned",
      manifest_name: name,
      model,
      ...(parent === undefined ? {} : { parent_agent: parent }),
      ...birth,
    },
    ...grantedEvents(tokens),
    ...withheld,
  );
  return live(home, { id, name, spawned_seq: spawned?.seq }, { ceiling, ports });
}

function tokensFor(
  { shared }: AgentHome,
  id: AgentId,
  grants: readonly Grant[],
  parent: AgentId | undefined,
): readonly Token[] {
  if (parent === undefined) return shared.ledger.issue(id, grants);
  const cut = shared.ledger.cut(id, parent, grants);
  if (cut.ok) return cut.tokens;
  throw new AgentdError("denied", "spawn agent", cut.problems.join("; "));
}

/** An agent that a daemon before this one left behind, or that was let go of, with what it holds. Nothing is recorded. */
export function takeUpAgent(home: AgentHome, born: BornAgent): SpawnedAgent {
  const ceiling = ceilingOf(home);
  return live(home, born, { ceiling, ports: portsOf(home, born.id, ceiling) });
}

/** What ends an agent in the journal: its tokens are revoked, and it has stopped. Its processes are gone before. */
export function endOfAgent(
  home: Pick<AgentHome, "shared" | "of">,
  born: BornAgent,
  reason: EndReason,
  message?: string,
): readonly NewEvent[] {
  const context = {
    ...subjectOf(home, born.id),
    ...(born.spawned_seq === undefined ? {} : { parent: born.spawned_seq }),
  };
  return [
    ...revokedEvents(home.shared.ledger.release(born.id), "the agent ended").map((event) => ({
      ...context,
      ...event,
    })),
    {
      ...context,
      kind: "agent_stopped",
      reason,
      ...(message === undefined ? {} : { message }),
    },
  ];
}

/** The skills that the agent's role names, or all. */
function skillsOf({ deps }: AgentHome, name: string): AgentSkills {
  const named = deps.roles().get(name)?.role.skills ?? [];
  return agentSkills(deps.skills(), named, deps.settings.agent.skill_catalog_tokens);
}

function live(
  home: AgentHome,
  born: BornAgent,
  { ceiling, ports }: Pick<LiveAgent, "ceiling" | "ports">,
): SpawnedAgent {
  const { id, name, spawned_seq } = born;
  const unwatch = watchTokens(id, home, (revoked) => ports.tokensChanged(revoked));
  const letGo = async (): Promise<void> => {
    unwatch();
    await ports.close();
  };
  return {
    id,
    name,
    spawned_seq,
    home,
    ceiling,
    ports,
    memory: memoryRules(name, {
      isChild: home.depth > 0,
      ...(home.memory === undefined ? {} : { manifest: home.memory }),
    }),
    workspace: home.dir,
    skills: skillsOf(home, name),
    trouble: {},
    record: recorder(home.deps.journal, {
      ...subjectOf(home, id),
      actor: "agent",
      ...(spawned_seq === undefined ? {} : { parent: spawned_seq }),
    }),
    letGo,
    end: async (reason, message) => {
      unwatch();
      // Before the processes go: what is under way loses its grants at once.
      const events = endOfAgent(home, born, reason, message);
      await ports.close();
      return events;
    },
  };
}

function ceilingOf({ deps, dir }: AgentHome): LiveAgent["ceiling"] {
  return makeCeiling(deps.policy, { workspace: dir, never: deps.neverGrantable });
}

function portsOf(home: AgentHome, id: AgentId, ceiling: LiveAgent["ceiling"]): LiveAgent["ports"] {
  const record = recorder(home.deps.journal, subjectOf(home, id));
  return home.deps.openPorts(confinedAgent({ id, ceiling, record, home }));
}

function subjectOf({ of }: Pick<AgentHome, "of">, id: AgentId): EventContext {
  return { ...of, agent_id: id, actor: "daemon" };
}
