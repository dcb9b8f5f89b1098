import { suggest } from "../base/suggest.js";
import { formatProblem } from "../catalog/file-problem.js";
import type { Skill } from "../catalog/skills.js";
import { AgentdError } from "../protocol/agentd-error.js";
import type { ControlDeps } from "./deps.js";

/** The skill of that name. Throws `unknown_skill`, naming the nearest, or the file that disabled itself. */
export function findSkill({ skills }: Pick<ControlDeps, "skills">, name: string): Skill {
  const catalog = skills();
  const found = catalog.skills.get(name);
  if (found !== undefined) return found;
  const broken = catalog.problems.find(({ file }) => file.endsWith(`/${name}/SKILL.md`));
  const near = suggest(name, [...catalog.skills.keys()]);
  throw new AgentdError(
    "unknown_skill",
    "find skill",
    broken === undefined
      ? `no skill ${JSON.stringify(name)}${near === undefined ? "" : `; did you mean ${near}?`}`
      : `skill ${JSON.stringify(name)} is disabled: ${formatProblem(broken)}`,
  );
}
