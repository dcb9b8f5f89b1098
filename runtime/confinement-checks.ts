import { AgentdError } from "./protocol/agentd-error.js";
import type { DoctorCheck } from "./protocol/control-results.js";
import type { LayerProbe } from "./sandbox/probe-layers.js";

/** What a launch failed at, for a sentence. */
export function failureText(failed: Extract<LayerProbe, { ok: false }>): string {
  const detail = failed.detail === "" ? "" : ` (${failed.detail})`;
  return `${failed.layer}: ${failed.step}: ${failed.errno}${detail}`;
}

/** A line for each layer that was in force in a real launch; one for the layer that failed it. */
export function checksOf(proven: LayerProbe | AgentdError): readonly DoctorCheck[] {
  if (proven instanceof AgentdError) {
    const detail = `${proven.message}: no agent will run`;
    return [{ name: "confinement", verdict: "fail", detail, remedy: proven.hint }];
  }
  if (!proven.ok) {
    const detail = `${failureText(proven)}: no agent will run`;
    return [
      { name: `confinement: ${proven.layer}`, verdict: "fail", detail, remedy: proven.remedy },
    ];
  }
  return Object.entries(proven.enforced).flatMap(([name, what]): DoctorCheck[] => {
    if (name === "exec-limit") return [];
    if (name !== "cgroup" || what !== "-")
      return [{ name: `confinement: ${name}`, verdict: "ok", detail: what, remedy: null }];
    const detail = "no controller is delegated: rlimits stand in for memory and process limits";
    const remedy = "Run agentd under its unit, with `Delegate=cpu memory pids io`.";
    return [{ name: "confinement: cgroup", verdict: "warn", detail, remedy }];
  });
}
