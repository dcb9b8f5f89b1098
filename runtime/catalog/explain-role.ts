import { makeCeiling, withinCeiling } from "../policy/ceiling.js";
import { expandGrants } from "../policy/expand.js";
import { formatGrant } from "../policy/grammar.js";
import { AgentdError } from "../protocol/agentd-error.js";
import type { RoleExplanation } from "../protocol/control-results.js";
import type { PolicyFile } from "../protocol/policy-file.js";
import type { Role } from "../protocol/role.js";
import { resolveParams } from "./role-params.js";

/**
 * What an agent of a role would hold with these params under this policy: the written form of each grant, and what the operator's
 * ceiling keeps back and why. Throws `invalid_params` with every problem. Pure.
 */
export function explainRole(
  role: Role,
  params: Readonly<Record<string, string | readonly string[]>>,
  policy: PolicyFile,
  places: { readonly workspace: string | null; readonly never: readonly string[] },
): RoleExplanation {
  const op = "explain role";
  const resolved = resolveParams(role, params);
  if (!resolved.ok) throw new AgentdError("invalid_params", op, resolved.problems.join("; "));
  const { grants, problems } = expandGrants(role.capabilities, resolved.params);
  if (problems.length > 0) throw new AgentdError("invalid_params", op, problems.join("; "));
  const ceiling = makeCeiling(policy, places);
  const verdicts = grants.map((grant) => ({ grant, verdict: withinCeiling(grant, ceiling) }));
  return {
    role: role.name,
    params: { ...resolved.params },
    granted: verdicts.flatMap(({ verdict }) =>
      "grant" in verdict ? [formatGrant(verdict.grant)] : [],
    ),
    withheld: verdicts.flatMap(({ grant, verdict }) =>
      "grant" in verdict ? [] : [{ capability: formatGrant(grant), reason: verdict.withheld }],
    ),
  };
}
