import { suggest } from "../base/suggest.js";
import { formatProblem } from "../catalog/file-problem.js";
import { AgentdError } from "../protocol/agentd-error.js";
import type { RoleReport } from "../protocol/control-results.js";
import type { ControlDeps } from "./deps.js";

/** The role of that name. Throws `unknown_role`, naming the nearest, or the file that disabled itself. */
export function findRole({ roles }: Pick<ControlDeps, "roles">, name: string): RoleReport {
  const catalog = roles();
  const found = catalog.roles.get(name);
  if (found !== undefined) return found;
  const broken = catalog.problems.find(({ file }) => file.endsWith(`/${name}.yaml`));
  const near = suggest(name, [...catalog.roles.keys()]);
  throw new AgentdError(
    "unknown_role",
    "find role",
    broken === undefined
      ? `no role ${JSON.stringify(name)}${near === undefined ? "" : `; did you mean ${near}?`}`
      : `role ${JSON.stringify(name)} is disabled: ${formatProblem(broken)}`,
  );
}
