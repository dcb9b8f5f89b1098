import type { Json } from "../protocol/json.js";
import type { Plan } from "../protocol/plan.js";

const RUN = "{run}";

/** `value` with `{run}` in every string replaced by the run's directory: once, as data, in lists and objects too. */
export function expandRun(value: Json, runDir: string): Json {
  if (typeof value === "string") return value.split(RUN).join(runDir);
  if (Array.isArray(value)) return value.map((element) => expandRun(element, runDir));
  if (value !== null && typeof value === "object") {
    return Object.fromEntries(
      Object.entries(value).map(([key, inner]) => [key, expandRun(inner, runDir)]),
    );
  }
  return value;
}

/** A plan whose params and final output name the run's own directory instead of `{run}`. */
export function placePlan(plan: Plan, runDir: string): Plan {
  return {
    steps: plan.steps.map((step) => ({
      ...step,
      params: Object.fromEntries(
        Object.entries(step.params).map(([name, value]) => [name, expandRun(value, runDir)]),
      ),
    })),
    final_output: plan.final_output.split(RUN).join(runDir),
  };
}
