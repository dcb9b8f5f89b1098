import { ulid } from "../base/ulid.js";
import { makeCeiling, withinCeiling } from "../policy/ceiling.js";
import { formatGrant } from "../policy/grammar.js";
import type { Grant } from "../protocol/capability.js";
import type { EventContext, NewEvent } from "../protocol/event.js";
import type { StepId } from "../protocol/ids.js";
import { AgentId } from "../protocol/ids.js";
import { confinedAgent, watchTokens } from "./confined-agent.js";
import type { LiveAgent } from "./live-agent.js";
import { recorder } from "./record.js";
import type { RunContext } from "./run-context.js";
import { tokenText } from "./token-ledger.js";

export interface AgentWish {
  readonly name: string;
  readonly model: string;
  readonly step: StepId;
  readonly grants: readonly Grant[];
  readonly outputs_before: ReadonlyMap<string, string>;
}

/** An agent that is in the journal and has not ended. */
export interface BornAgent {
  readonly id: AgentId;
  readonly name: string;
  readonly step: StepId;
  /** `seq` of its birth. */
  readonly spawned_seq: number | undefined;
}

export interface SpawnedAgent extends LiveAgent {
  /** Closes its workers and revokes all it held. What that is in the journal is for the caller to write, with what follows from it. */
  readonly end: (reason: EndReason, message?: string) => Promise<readonly NewEvent[]>;
  /** Closes its workers and nothing else: in the journal it lives on, and is taken up again. */
  readonly letGo: () => Promise<void>;
}

export type EndReason = "completed" | "user_requested" | "error" | "timeout";

/**
 * A new agent with exactly the grants that the operator's ceiling leaves of its wish. Its birth, its tokens and what was
 * withheld are in the journal before it can act.
 */
export async function spawnAgent(run: RunContext, wish: AgentWish): Promise<SpawnedAgent> {
  const { deps, shared } = run;
  const { name, model, step } = wish;
  const id = AgentId.parse(ulid(deps.entropy));
  const ceiling = ceilingOf(run);
  // First of all: where nothing can be confined, no agent is born.
  const ports = portsOf(run, { id, step }, ceiling);
  const verdicts = wish.grants.map((grant) => ({ grant, verdict: withinCeiling(grant, ceiling) }));
  const tokens = shared.ledger.issue(
    id,
    verdicts.flatMap(({ verdict }) => ("grant" in verdict ? [verdict.grant] : [])),
  );
  const [spawned] = await recorder(deps.journal, subjectOf(run, { id, step }))(
    {
      kind: "agent_spawned",
      manifest_name: name,
      model,
      outputs_before: Object.fromEntries(wish.outputs_before),
    },
    ...tokens.map((token) => ({
      kind: "capability_granted" as const,
      capability: tokenText(token),
      token,
    })),
    ...verdicts.flatMap(({ grant, verdict }) =>
      "grant" in verdict
        ? []
        : [
            {
              kind: "capability_withheld" as const,
              capability: formatGrant(grant),
              reason: verdict.withheld,
            },
          ],
    ),
  );
  return live(run, { id, name, step, spawned_seq: spawned?.seq }, { ceiling, ports });
}

/** An agent that a daemon before this one left behind, or that was let go of, with what it holds. Nothing is recorded. */
export function takeUpAgent(run: RunContext, born: BornAgent): SpawnedAgent {
  const ceiling = ceilingOf(run);
  return live(run, born, { ceiling, ports: portsOf(run, born, ceiling) });
}

/** What ends an agent in the journal: its tokens are revoked, and it has stopped. Its processes are gone before. */
export function endOfAgent(
  run: RunContext,
  born: BornAgent,
  reason: EndReason,
  message?: string,
): readonly NewEvent[] {
  const context = {
    ...subjectOf(run, born),
    ...(born.spawned_seq === undefined ? {} : { parent: born.spawned_seq }),
  };
  return [
    ...run.shared.ledger.release(born.id).map((token) => ({
      ...context,
      kind: "capability_revoked" as const,
      token_id: token.id,
      capability: tokenText(token),
      reason: "the agent ended",
    })),
    {
      ...context,
      kind: "agent_stopped",
      reason,
      ...(message === undefined ? {} : { message }),
    },
  ];
}

function live(
  run: RunContext,
  born: BornAgent,
  { ceiling, ports }: Pick<LiveAgent, "ceiling" | "ports">,
): SpawnedAgent {
  const { id, name, spawned_seq } = born;
  const unwatch = watchTokens(id, run, (revoked) => ports.tokensChanged(revoked));
  const letGo = async (): Promise<void> => {
    unwatch();
    await ports.close();
  };
  return {
    id,
    name,
    ceiling,
    ports,
    workspace: run.dir,
    trouble: {},
    record: recorder(run.deps.journal, {
      ...subjectOf(run, born),
      actor: "agent",
      ...(spawned_seq === undefined ? {} : { parent: spawned_seq }),
    }),
    letGo,
    end: async (reason, message) => {
      unwatch();
      // Before the processes go: what is under way loses its grants at once.
      const events = endOfAgent(run, born, reason, message);
      await ports.close();
      return events;
    },
  };
}

function ceilingOf({ deps, dir }: RunContext): LiveAgent["ceiling"] {
  return makeCeiling(deps.policy, { workspace: dir, never: deps.neverGrantable });
}

function portsOf(
  run: RunContext,
  born: Pick<BornAgent, "id" | "step">,
  ceiling: LiveAgent["ceiling"],
): LiveAgent["ports"] {
  const record = recorder(run.deps.journal, subjectOf(run, born));
  return run.deps.openPorts(confinedAgent({ id: born.id, ceiling, record, run }));
}

function subjectOf(run: RunContext, { id, step }: Pick<BornAgent, "id" | "step">): EventContext {
  return { run_id: run.id, step_id: step, agent_id: id, actor: "daemon" };
}
