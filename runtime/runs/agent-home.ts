import type { EventContext } from "../protocol/event.js";
import type { Manifest } from "../protocol/manifest.js";
import type { PlanStep } from "../protocol/plan.js";
import type { Role } from "../protocol/role.js";
import { type ApprovalRules, approvalRules } from "./approvals/approval-rules.js";
import type { Account } from "./budgets/account.js";
import { callDeadline } from "./calls/deadline.js";
import type { EngineDeps } from "./deps.js";
import type { RunContext, Shared } from "./run-context.js";

/** Where an agent lives and what it draws on: a step of a run, or a place of its own. */
export interface AgentHome {
  readonly deps: EngineDeps;
  readonly shared: Shared;
  /** Its directory, absolute and resolved. */
  readonly dir: string;
  /** What its events carry beside its own id. */
  readonly of: Pick<EventContext, "run_id" | "step_id">;
  /** How many agents stand between it and whom nobody spawned. */
  readonly depth: number;
  /** What its manifest says of its memory; a role's agent has none of its own. */
  readonly memory?: Manifest["memory"];
  /** The run whose operator can be asked; undefined where the agent belongs to none. */
  readonly run?: RunContext;
  /** What of its calls an operator decides; a child is bound by its parent's rules and its own. */
  readonly rules: ApprovalRules;
  /** What it spends from, and its children with it. */
  readonly account: Account;
  /** Whose turn its model calls take, and by when one that is made now should have begun. */
  readonly flow: string;
  readonly deadline: () => number;
  /** Aborts with `LetGo` when nothing new may begin. */
  readonly rest: AbortSignal;
}

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
