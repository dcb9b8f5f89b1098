import { suggest } from "../base/suggest.js";
import { AgentdError } from "../protocol/agentd-error.js";
import type { Plan } from "../protocol/plan.js";
import type { RunRequest } from "../protocol/run.js";
import { callDeadline } from "./calls/deadline.js";
import { tellingRetries } from "./calls/telling-retries.js";
import { checkPlan, type Roles } from "./check-plan.js";
import { directPlan, rolePlan } from "./direct-plan.js";
import { placePlan } from "./placeholders.js";
import type { FailedAttempt } from "./plan-prompt.js";
import { makePlan } from "./planner.js";
import { type Recorder, recorder } from "./record.js";
import type { RunContext } from "./run-context.js";

/** Everything else of a run waits for its plan. */
const PLANNER_PRIORITY = 192;

/**
 * The plan that a run begins with. An operator's word decides: `--role` and `direct` take one agent and no planner, `plan` the
 * planner. `auto` asks the planner too, in one call: a plan of one generalist is its way of saying that the goal is open-ended.
 */
export async function firstPlan(
  run: RunContext,
  record: Recorder,
  signal: AbortSignal,
): Promise<Plan> {
  const { orchestration } = run.request;
  const explicit = explicitPlan(run);
  if (explicit !== undefined) {
    await record({ kind: "orchestration_selected", mode: "direct", source: "explicit" });
    return explicit;
  }
  if (run.moves.now() !== "planning") await run.moves.move("plan");
  run.deps.prepareWeb(run.request.goal.match(/\bhttps?:\/\//gi)?.length ?? 0);
  const plan = await planned(run, signal);
  const openEnded = plan.steps.length === 1 && plan.steps[0]?.role === "generalist";
  await record({
    kind: "orchestration_selected",
    mode: openEnded ? "direct" : "decompose",
    source: orchestration === "plan" ? "explicit" : "auto",
  });
  if (!openEnded || orchestration === "plan") return plan;
  return checked(placePlan(directPlan(run.request.goal), run.dir), run);
}

/** Whether the operator wants one agent and no planner, then no other plan after a failure either. */
export function isDirect({ orchestration, role }: RunRequest): boolean {
  return role !== undefined || orchestration === "direct" || orchestration === "persistent";
}

/**
 * The plan of a request that needs no planner; undefined where it needs one. Throws `unknown_role` and `invalid_params`. Pure: a
 * request is judged by it before there is a run.
 */
export function explicitPlan(run: Pick<RunContext, "request" | "dir" | "deps">): Plan | undefined {
  return isDirect(run.request) ? checked(placePlan(withoutPlanner(run), run.dir), run) : undefined;
}

/** Another plan after a failure; the caller keeps what has succeeded. */
export async function replanned(
  run: RunContext,
  failed: FailedAttempt,
  signal: AbortSignal,
): Promise<Plan> {
  try {
    return await planned(run, signal, failed);
  } catch (thrown) {
    const first = failed.failures[0];
    const gaveUp = thrown instanceof AgentdError && thrown.code === "goal_not_understood";
    if (!gaveUp || first === undefined) throw thrown;
    // The planner knows no way around it: what the operator needs to hear is what failed.
    const { code, message } = first.failure;
    throw new AgentdError(code, "run step", `step ${first.step}: ${message}`, { cause: thrown });
  }
}

async function planned(
  run: RunContext,
  signal: AbortSignal,
  failed?: FailedAttempt,
): Promise<Plan> {
  const { deps, shared } = run;
  const record = recorder(deps.journal, { run_id: run.id, actor: "planner" });
  const model = deps.models.resolve("planner");
  const metered = shared.modelCalls.metered(model, {
    record,
    account: run.accounts.run,
    flow: run.id,
    rest: run.rest,
    deadline: () => callDeadline(deps.entropy.now(), PLANNER_PRIORITY, run.endsAt),
  });
  const answer = await makePlan(
    {
      goal: run.request.goal,
      roles: deps.roles(),
      runDir: run.dir,
      model: { ...model, stream: tellingRetries(metered, model, record) },
      maxOutputTokens: Math.min(deps.settings.planner.max_output_tokens, model.max_output_tokens),
      ...(failed && { failed }),
    },
    record,
    signal,
  );
  signal.throwIfAborted();
  if (answer.ok) return answer.plan;
  const { code, message, hint } = answer.failure;
  throw new AgentdError(code, "plan", message, hint === undefined ? {} : { hint });
}

function withoutPlanner(run: Pick<RunContext, "request" | "deps">): Plan {
  const { goal, role, params } = run.request;
  if (role === undefined) return directPlan(goal);
  return rolePlan(goal, roleNamed(role, run.deps.roles()), params);
}

function roleNamed(name: string, roles: Roles) {
  const role = roles.get(name);
  if (role !== undefined) return role;
  const near = suggest(name, [...roles.keys()]);
  throw new AgentdError(
    "unknown_role",
    "choose role",
    `there is no role "${name}"${near === undefined ? "" : `; did you mean "${near}"?`}`,
  );
}

function checked(plan: Plan, run: Pick<RunContext, "dir" | "deps">): Plan {
  const problems = checkPlan(plan, run.deps.roles(), run.dir);
  if (problems.length === 0) return plan;
  throw new AgentdError("invalid_params", "make plan", problems.join("; "));
}
