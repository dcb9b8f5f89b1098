import { AgentdError } from "../../protocol/agentd-error.js";
import type { BudgetLine } from "../../protocol/budget.js";
import type { RunDetail } from "../../store/reader.js";
import { confinementInForce } from "../confinement.js";
import type { ControlDeps } from "../deps.js";
import { findRun } from "../find-id.js";
import type { CallHandler } from "../handler.js";

/** Everything of one run. */
export function runGet({ reader, engine }: ControlDeps): CallHandler<"run.get"> {
  return ({ run_id }) => {
    const id = findRun(reader, run_id);
    const run = reader.run(id);
    if (run === undefined) throw new AgentdError("unknown_id", "get run", `no run ${id}`);
    return {
      ...run,
      steps: [...run.steps],
      documents: [...run.documents],
      budgets: [...budgetsOf(run, engine.budgets(id))],
      confinement: confinementInForce(reader, { run_id: id }),
    };
  };
}

/** Of a run that is not under way, what its rows say; its time in any case. */
function budgetsOf(run: RunDetail, live: readonly BudgetLine[]): readonly BudgetLine[] {
  const { request, usage, submitted_at, ended_at } = run;
  const line = (unit: BudgetLine["unit"], used: number, limit: number | undefined): BudgetLine[] =>
    limit === undefined ? [] : [{ scope: "run", label: "the run", unit, used, reserved: 0, limit }];
  const end = ended_at === null ? Date.now() : Date.parse(ended_at);
  const seconds = Math.max(0, end - Date.parse(submitted_at)) / 1_000;
  const timeout = request.timeout_ms === undefined ? undefined : request.timeout_ms / 1_000;
  const spent =
    live.length > 0
      ? live
      : [
          ...line("tokens", usage.input_tokens + usage.output_tokens, request.max_tokens),
          ...line("usd", usage.usd, request.max_usd),
        ];
  return [...spent, ...line("seconds", seconds, timeout)];
}
