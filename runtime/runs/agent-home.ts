import type { PlanStep } from "../protocol/plan.js";
import type { Role } from "../protocol/role.js";
import { approvalRules } from "./approvals/approval-rules.js";
import { callDeadline } from "./calls/deadline.js";
import type { AgentHome, RunContext } from "./run-context.js";

/** The home of the agents of one step. */
export function stepHome(run: RunContext, step: PlanStep, role: Role): AgentHome {
  const { deps, shared, dir, rest } = run;
  return {
    ...{ deps, shared, dir, rest },
    of: { run_id: run.id, step_id: step.id },
    depth: 0,
    run,
    rules: approvalRules(role, deps.settings),
    account: run.accounts.step(step.id, role.budget),
    flow: run.id,
    deadline: () => callDeadline(deps.entropy.now(), role.priority, run.endsAt),
  };
}
