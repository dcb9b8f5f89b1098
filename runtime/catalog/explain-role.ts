import { makeCeiling, withinCeiling } from "../policy/ceiling.js";
import { expandGrants } from "../policy/expand.js";
import { formatGrant } from "../policy/grammar.js";
import { AgentdError } from "../protocol/agentd-error.js";
import type { RoleExplanation } from "../protocol/control-results.js";
import type { PolicyFile } from "../protocol/policy-file.js";
import type { Role } from "../protocol/role.js";
import { resolveParams } from "./role-params.js";

/** Stands for the id of a run that there is not yet. */
const SOME_RUN = "RUN_ID";

interface Ground {
  readonly policy: PolicyFile;
  /** Places that no policy can open. */
  readonly never: readonly string[];
  readonly workspaceDir: string;
}

/**
 * The tokens that an agent of the role would get with these parameters, and what the operator's ceiling keeps back. `{run}` in a
 * parameter stands for the run's own workspace. Throws `invalid_params` with every problem.
 */
export function explainRole(
  role: Role,
  raw: Readonly<Record<string, string | readonly string[]>>,
  { policy, never, workspaceDir }: Ground,
): RoleExplanation {
  const workspace = `${workspaceDir}/${SOME_RUN}`;
  const inRun = (text: string) => text.replaceAll("{run}", workspace);
  const placed = Object.entries(raw).map(([name, value]) => [
    name,
    typeof value === "string" ? inRun(value) : value.map(inRun),
  ]);
  const resolved = resolveParams(role, Object.fromEntries(placed) as Record<string, unknown>);
  if (!resolved.ok) throw invalidParams(role, resolved.problems);
  const { grants, problems } = expandGrants(role.capabilities, resolved.params);
  if (problems.length > 0) throw invalidParams(role, problems);
  const ceiling = makeCeiling(policy, { workspace, never });
  const granted: string[] = [];
  const withheld: { capability: string; reason: string }[] = [];
  for (const grant of grants) {
    const cut = withinCeiling(grant, ceiling);
    if ("grant" in cut) granted.push(formatGrant(cut.grant));
    else withheld.push({ capability: formatGrant(grant), reason: cut.withheld });
  }
  return { role: role.name, params: resolved.params, granted, withheld };
}

function invalidParams(role: Role, problems: readonly string[]): AgentdError {
  return new AgentdError("invalid_params", "explain role", `${role.name}: ${problems.join("; ")}`, {
    hint: `\`agentd roles show ${role.name}\` lists its parameters; give them as --param NAME=VALUE.`,
  });
}
