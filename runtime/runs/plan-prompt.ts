import type { LoadedRole } from "../catalog/roles.js";
import type { Plan } from "../protocol/plan.js";
import type { Failure } from "./failure.js";

/** What the planner is told about a plan that did not work out. */
export interface FailedAttempt {
  readonly plan: Plan;
  readonly succeeded: readonly string[];
  readonly failures: readonly { readonly step: string; readonly failure: Failure }[];
}

/** The planner's standing orders and the catalog of roles. */
export function planSystemPrompt(roles: ReadonlyMap<string, LoadedRole>): string {
  return `You turn a goal into a plan for a team of agents. Each step is carried out by one agent of a role; steps run as soon as the steps they depend on have succeeded, in parallel where they can.

Answer with one JSON object and nothing else:
{"steps": [{"id": "short-name", "role": "ROLE", "params": {"NAME": "VALUE"}, "depends_on": ["other-id"]}], "final_output": "PATH"}

Rules
- {run} stands for this run's own directory. It is a directory: every file parameter below it needs a name with an extension, such as {run}/page-1.md.
- A path that the goal names is used exactly as written. Never put {run} in front of it.
- A step hands its work on through files only: the upstream step declares an output path, the downstream step repeats that very path among its inputs and lists the upstream step in depends_on.
- final_output is the output of the step that writes what the goal asks for. If the goal names no file, use {run}/output.md.
- One step for each independent piece of work, and no step that adds nothing: to fetch a page and summarise it takes two steps, not four.
- Leave depends_on empty wherever a step needs nothing from another; independent steps belong side by side.
- Use the specialised roles. A plan of one single "generalist" step is right only for an open-ended goal that cannot be cut into such pieces.
- Use only the roles and parameters below. Parameters marked with ? may be left out; [] means a list of strings.

Roles
${[...roles.values()].map(roleLine).join("\n")}`;
}

/** The goal, and after a failure what went wrong and what is already done. */
export function planUserPrompt(goal: string, failed?: FailedAttempt): string {
  if (failed === undefined) return `GOAL\n${goal}`;
  const failures = failed.failures
    .map(({ step, failure }) => `- ${step}: ${failure.message}`)
    .join("\n");
  return `GOAL
${goal}

The previous plan did not work out.
PREVIOUS PLAN
${JSON.stringify(failed.plan)}

FAILED STEPS
${failures}

SUCCEEDED STEPS (repeat these unchanged, with the same id, role and params, where the new plan needs their files: they are kept and not run again)
${failed.succeeded.length === 0 ? "none" : failed.succeeded.join(", ")}

Find out why it failed and give a plan that avoids it: another URL, role or path, or without the failing part. Never repeat a failed step unchanged. If the goal cannot be reached, plan the shortest way to a document that says so and why.`;
}

function roleLine({ role }: LoadedRole): string {
  const summary = role.system_prompt.trim().split("\n", 1)[0] ?? "";
  const params = Object.entries(role.parameters).map(([name, { type, required, description }]) => {
    const shape = type === "string_list" ? "[]" : "";
    const kind = type === "path" ? " (path)" : "";
    return `${name}${shape}${required ? "" : "?"}${kind}${description === "" ? "" : `: ${description}`}`;
  });
  return `- ${role.name}: ${summary}\n  params: ${params.length === 0 ? "none" : params.join("; ")}`;
}
