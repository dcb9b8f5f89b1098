import { ulid } from "../base/ulid.js";
import { makeCeiling, withinCeiling } from "../policy/ceiling.js";
import { formatGrant } from "../policy/grammar.js";
import type { Grant } from "../protocol/capability.js";
import type { StepId } from "../protocol/ids.js";
import { AgentId } from "../protocol/ids.js";
import { confinedAgent, watchTokens } from "./confined-agent.js";
import type { LiveAgent } from "./live-agent.js";
import { memoryRules } from "./memory-rules.js";
import { recorder } from "./record.js";
import type { RunContext } from "./run-context.js";
import { tokenText } from "./token-ledger.js";

export interface AgentWish {
  readonly name: string;
  readonly model: string;
  readonly step: StepId;
  readonly grants: readonly Grant[];
}

export interface SpawnedAgent extends LiveAgent {
  /** Revokes all it held and closes its workers. `reason` goes into the journal. */
  readonly end: (
    reason: "completed" | "user_requested" | "error" | "timeout",
    message?: string,
  ) => Promise<void>;
}

/**
 * A new agent with exactly the grants that the operator's ceiling leaves of its wish. Its birth, its tokens and what was
 * withheld are in the journal before it can act.
 */
export async function spawnAgent(run: RunContext, wish: AgentWish): Promise<SpawnedAgent> {
  const { deps, shared } = run;
  const id = AgentId.parse(ulid(deps.entropy));
  const subject = { run_id: run.id, step_id: wish.step, agent_id: id };
  const byDaemon = recorder(deps.journal, { ...subject, actor: "daemon" });
  const ceiling = makeCeiling(deps.policy, { workspace: run.dir, never: deps.neverGrantable });
  // First of all: where nothing can be confined, no agent is born.
  const ports = deps.openPorts(confinedAgent({ id, ceiling, record: byDaemon, run }));
  const verdicts = wish.grants.map((grant) => ({ grant, verdict: withinCeiling(grant, ceiling) }));
  const tokens = shared.ledger.issue(
    id,
    verdicts.flatMap(({ verdict }) => ("grant" in verdict ? [verdict.grant] : [])),
  );
  const [spawned] = await byDaemon(
    { kind: "agent_spawned", manifest_name: wish.name, model: wish.model },
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
  const unwatch = watchTokens(id, run, (revoked) => ports.tokensChanged(revoked));
  return {
    id,
    name: wish.name,
    ceiling,
    ports,
    memory: memoryRules(wish.name),
    workspace: run.dir,
    trouble: {},
    record: recorder(deps.journal, { ...subject, actor: "agent" }).under(spawned),
    end: async (reason, message) => {
      unwatch();
      const revoked = shared.ledger.release(id);
      try {
        await ports.close();
      } finally {
        await byDaemon.under(spawned)(
          ...revoked.map((token) => ({
            kind: "capability_revoked" as const,
            token_id: token.id,
            capability: tokenText(token),
            reason: "the agent ended",
          })),
          { kind: "agent_stopped", reason, ...(message === undefined ? {} : { message }) },
        );
      }
    },
  };
}
