import { join } from "node:path";
import { makeCeiling, withinCeiling } from "../../policy/ceiling.js";
import { parseGrant } from "../../policy/grammar.js";
import { AgentdError } from "../../protocol/agentd-error.js";
import type { ApprovalId } from "../../protocol/approval.js";
import type { EngineDeps } from "../deps.js";
import { actorOf, type Peer } from "../peer.js";
import type { Approvals, Verdict } from "./approvals.js";

type RespondDeps = Pick<EngineDeps, "policy" | "neverGrantable" | "workspaceBase"> & {
  readonly reader: Pick<EngineDeps["reader"], "approval">;
};

/**
 * An operator's answer. What it grants stays below policy.yaml, which no approval can exceed: `denied` says so. Throws `unknown_id`,
 * and `illegal_transition` where it was answered before.
 */
export async function respond(
  deps: RespondDeps,
  approvals: Pick<Approvals, "settle">,
  id: ApprovalId,
  verdict: Verdict,
  peer: Peer,
): Promise<void> {
  const row = deps.reader.approval(id);
  if (row === undefined)
    throw new AgentdError("unknown_id", "answer approval", `there is no approval ${id}`);
  if (row.state !== "pending") {
    const by = row.settled_by === null ? "" : ` by ${row.settled_by}`;
    throw new AgentdError(
      "illegal_transition",
      "answer approval",
      `it was ${row.state}${by} before`,
      {
        hint: "`agentd approvals` shows what still waits.",
      },
    );
  }
  if (verdict.granted && row.capability !== null) {
    const home = row.run_id ?? row.agent_id;
    const workspace = home === null ? null : join(deps.workspaceBase, home);
    requireWithinPolicy(row.capability, deps, workspace);
  }
  await approvals.settle(id, verdict, actorOf(peer));
}

function requireWithinPolicy(
  capability: string,
  deps: RespondDeps,
  workspace: string | null,
): void {
  const parsed = parseGrant(capability);
  const ceiling = makeCeiling(deps.policy, { workspace, never: deps.neverGrantable });
  const verdict = parsed.ok ? withinCeiling(parsed.grant, ceiling) : { withheld: parsed.problem };
  if ("grant" in verdict) return;
  throw new AgentdError(
    "denied",
    "answer approval",
    `an approval cannot exceed policy.yaml: ${verdict.withheld}`,
    { hint: "Widen policy.yaml and restart agentd, or deny the request with `agentd deny ID`." },
  );
}
