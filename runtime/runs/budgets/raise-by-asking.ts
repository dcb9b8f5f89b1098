import type { StoreReader } from "../../store/reader.js";
import type { Approvals } from "../approvals/approvals.js";
import { readEvents } from "../read-events.js";
import type { LiveAgent, RunContext } from "../run-context.js";
import type { Account } from "./account.js";
import type { Budgets } from "./budgets.js";
import type { Shortage } from "./fit-call.js";
import type { RunAccounts } from "./run-accounts.js";
import { shortageText } from "./shortage-text.js";

/**
 * Asks an operator for more room where a budget is used up: `once` gives as much again, `run` lifts that ceiling until the run ends.
 * The day of policy.yaml is nobody's to raise here. Resolves with whether there is more room now.
 */
export async function raiseByAsking(
  { shared }: RunContext,
  agent: LiveAgent,
  shortage: Shortage,
  signal: AbortSignal,
): Promise<boolean> {
  const { account, unit } = shortage;
  if (account.scope !== "run" && account.scope !== "step") return false;
  const answer = await ask(shared.approvals, agent, shortage, signal);
  if (!answer.granted) return false;
  const again = account.opened[unit] ?? 0;
  const by = answer.scope === "once" ? again : null;
  await agent.record({
    kind: "budget_raised",
    scope: account.scope,
    unit,
    by,
    approval_id: answer.id,
  });
  raise(shared.budgets, account, unit, by);
  return true;
}

function ask(approvals: Approvals, agent: LiveAgent, shortage: Shortage, signal: AbortSignal) {
  const question = {
    subject: "budget" as const,
    tool: "model",
    description: `${agent.name} cannot go on: ${shortageText(shortage)}`,
    input: JSON.stringify({ scope: shortage.account.scope, unit: shortage.unit }),
  };
  return approvals.ask({ agent_id: agent.id, record: agent.record }, question, signal);
}

function raise(
  budgets: Budgets,
  account: Account,
  unit: "tokens" | "usd",
  by: number | null,
): void {
  budgets.raise(account, { [unit]: by ?? Number.POSITIVE_INFINITY });
}

/** What operators had raised of a run's budgets before this daemon took it up. */
export function recallRaises(
  reader: StoreReader,
  budgets: Budgets,
  run_id: string,
  accounts: RunAccounts,
): void {
  for (const { scope, step_id, unit, by } of readEvents(reader, ["budget_raised"], { run_id })) {
    if (scope === "run") raise(budgets, accounts.run, unit, by);
    else if (step_id !== undefined)
      accounts.raiseStep(step_id, { [unit]: by ?? Number.POSITIVE_INFINITY });
  }
}
