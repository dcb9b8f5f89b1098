import { suggest } from "../base/suggest.js";
import { declaredOutputs } from "../catalog/role-checks.js";
import { resolveParams } from "../catalog/role-params.js";
import type { LoadedRole } from "../catalog/roles.js";
import type { Plan, PlanStep } from "../protocol/plan.js";
import { stepsOnCycle } from "./dag.js";

export type Roles = ReadonlyMap<string, LoadedRole>;

/**
 * What is wrong with a plan whose `{run}` is already expanded: one sentence a problem, for the model that made it and for the
 * operator. Empty means that it can be carried out. Pure.
 */
export function checkPlan(plan: Plan, roles: Roles, runDir: string): readonly string[] {
  const problems = [
    ...duplicateIds(plan),
    ...plan.steps.flatMap((step) => checkStep(step, plan, roles)),
  ];
  const cyclic = stepsOnCycle(plan);
  if (problems.length === 0 && cyclic.length > 0) {
    problems.push(
      `steps ${cyclic.join(", ")} wait for each other; depends_on must not form a cycle`,
    );
  }
  if (problems.length > 0) return problems;
  return [
    ...sharedOutputs(plan, roles),
    ...orphanInputs(plan, roles, runDir),
    ...finalOutput(plan, roles),
  ];
}

function duplicateIds(plan: Plan): string[] {
  const seen = new Set<string>();
  const problems: string[] = [];
  for (const { id } of plan.steps) {
    if (seen.has(id)) problems.push(`step id "${id}" is used twice`);
    seen.add(id);
  }
  return problems;
}

function checkStep(step: PlanStep, plan: Plan, roles: Roles): readonly string[] {
  const role = roles.get(step.role);
  if (role === undefined) {
    const near = suggest(step.role, [...roles.keys()]);
    const hint =
      near === undefined
        ? `known roles: ${[...roles.keys()].join(", ")}`
        : `did you mean "${near}"?`;
    return [`step "${step.id}": there is no role "${step.role}" (${hint})`];
  }
  const problems: string[] = [];
  for (const dependency of step.depends_on) {
    if (dependency === step.id) problems.push(`step "${step.id}" depends on itself`);
    else if (!plan.steps.some((other) => other.id === dependency)) {
      problems.push(`step "${step.id}" depends on "${dependency}", which is no step of the plan`);
    }
  }
  const params = resolveParams(role.role, step.params);
  if (!params.ok)
    problems.push(...params.problems.map((problem) => `step "${step.id}": ${problem}`));
  return problems;
}

/** The files that a step promises to write: the values of its role's output parameters. */
export function outputsOf(step: PlanStep, roles: Roles): readonly string[] {
  const role = roles.get(step.role);
  if (role === undefined) return [];
  const params = resolveParams(role.role, step.params);
  if (!params.ok) return [];
  return declaredOutputs(role.role).flatMap((name) => {
    const value = params.params[name];
    return typeof value === "string" && value !== "" ? [value] : [];
  });
}

function sharedOutputs(plan: Plan, roles: Roles): string[] {
  const owner = new Map<string, string>();
  const problems: string[] = [];
  for (const step of plan.steps) {
    for (const output of outputsOf(step, roles)) {
      const other = owner.get(output);
      if (other !== undefined)
        problems.push(`steps "${other}" and "${step.id}" both write ${output}`);
      owner.set(output, step.id);
    }
  }
  return problems;
}

/** An input below the run's directory can only come from a step; one that nobody writes will never be there. */
function orphanInputs(plan: Plan, roles: Roles, runDir: string): string[] {
  const made = new Set(plan.steps.flatMap((step) => outputsOf(step, roles)));
  // A step without declared outputs may write anything below the run's directory.
  if (plan.steps.some((step) => outputsOf(step, roles).length === 0)) return [];
  return plan.steps.flatMap((step) =>
    pathLists(step)
      .filter((path) => path.startsWith(`${runDir}/`) && !made.has(path))
      .map(
        (path) =>
          `step "${step.id}" reads ${path}, which no step writes; copy the upstream step's output verbatim`,
      ),
  );
}

function finalOutput(plan: Plan, roles: Roles): string[] {
  const declaring = plan.steps.map((step) => outputsOf(step, roles));
  if (declaring.some((outputs) => outputs.includes(plan.final_output))) return [];
  if (declaring.some((outputs) => outputs.length === 0)) return [];
  return [
    `final_output ${plan.final_output} is written by no step; it must equal the last writer's output`,
  ];
}

/** Values of list parameters, which is where a step names its inputs. */
function pathLists(step: PlanStep): readonly string[] {
  return Object.values(step.params).flatMap((value) =>
    Array.isArray(value) ? value.filter((element) => typeof element === "string") : [],
  );
}

/**
 * The plan with the dependencies that its data flow implies: a step whose params name another step's output, to the letter,
 * waits for that step even if the model forgot to say so. An edge that would close a cycle is not added.
 */
export function linkDataFlow(plan: Plan, roles: Roles): Plan {
  const maker = new Map(
    plan.steps.flatMap((step) =>
      outputsOf(step, roles).map((output) => [output, step.id] as const),
    ),
  );
  let linked = plan;
  for (const step of plan.steps) {
    for (const value of Object.values(step.params).flat()) {
      const source = typeof value === "string" ? maker.get(value) : undefined;
      if (source === undefined || source === step.id) continue;
      const candidate = withEdge(linked, step.id, source);
      if (stepsOnCycle(candidate).length === 0) linked = candidate;
    }
  }
  return linked;
}

function withEdge(plan: Plan, from: string, to: PlanStep["id"]): Plan {
  return {
    ...plan,
    steps: plan.steps.map((step) =>
      step.id !== from || step.depends_on.includes(to)
        ? step
        : { ...step, depends_on: [...step.depends_on, to] },
    ),
  };
}
