import { declaredOutputs } from "../catalog/role-checks.js";
import type { LoadedRole } from "../catalog/roles.js";
import type { Json } from "../protocol/json.js";
import { Plan } from "../protocol/plan.js";
import type { Role } from "../protocol/role.js";
import { namedOutput } from "./goal.js";

const DEFAULT_OUTPUT = "{run}/output.md";

/** A plan of one step for an open-ended goal: one generalist, told what counts as done. */
export function directPlan(goal: string): Plan {
  const output = namedOutput(goal);
  const params: Record<string, Json> = {
    task_description: executionContract(goal, output),
    workspace: "{run}",
    ...(output === undefined ? {} : { output }),
  };
  return Plan.parse({
    steps: [{ id: "generalist", role: "generalist", params }],
    final_output: output ?? DEFAULT_OUTPUT,
  });
}

/** A plan of one step of the role that the operator named; a parameter that takes the goal and was not given gets it. */
export function rolePlan(
  goal: string,
  role: LoadedRole,
  params: Readonly<Record<string, string | readonly string[]>>,
): Plan {
  const filled: Record<string, Json> = {};
  for (const [name, value] of Object.entries(params))
    filled[name] = typeof value === "string" ? value : [...value];
  for (const name of ["task_description", "question"]) {
    if (name in role.role.parameters && !(name in filled)) filled[name] = goal;
  }
  if ("workspace" in role.role.parameters && !("workspace" in filled))
    filled["workspace"] = "{run}";
  return Plan.parse({
    steps: [{ id: role.role.name, role: role.role.name, params: filled }],
    final_output: outputOf(role.role, filled, namedOutput(goal)),
  });
}

/** The file that the role declares as its output; where the operator gave none, the goal's takes its place in `params`. */
function outputOf(role: Role, params: Record<string, Json>, named: string | undefined): string {
  const [parameter] = declaredOutputs(role);
  if (parameter === undefined) return named ?? DEFAULT_OUTPUT;
  const { aliases = [] } = role.parameters[parameter] ?? {};
  const given = [parameter, ...aliases]
    .map((name) => params[name])
    .find((value) => value !== undefined);
  if (given === undefined && named !== undefined) params[parameter] = named;
  return typeof given === "string" ? given : (named ?? DEFAULT_OUTPUT);
}

function executionContract(goal: string, output: string | undefined): string {
  if (output === undefined) {
    return `${goal}\n\nWhen you are done, reply with the result itself; it is kept as the run's document.`;
  }
  return [
    goal,
    "",
    "You are done only when both hold:",
    `1. ${output} exists and was written by you with file_write in this task.`,
    `2. Your last reply is that path alone.`,
    "If there is nothing to report, write that to the file, with what you looked at. If you cannot write it, reply with one line",
    `\`ERROR: cannot write ${output}: <reason>\`.`,
  ].join("\n");
}
