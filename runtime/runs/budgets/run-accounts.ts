import type { StepId } from "../../protocol/ids.js";
import type { Usage } from "../../protocol/model.js";
import type { Role } from "../../protocol/role.js";
import type { RunRequest } from "../../protocol/run.js";
import { type Account, type Limits, NOTHING_SPENT, spentOf } from "./account.js";
import type { Budgets } from "./budgets.js";

/** The accounts of one run: its own, and below it one for each step. */
export interface RunAccounts {
  readonly run: Account;
  /** The account of a step, bounded by its role's budget over all its attempts; opened when it is first asked for. */
  readonly step: (id: StepId, budget: Role["budget"]) => Account;
  /** Room that an operator gave a step's account before, for when it is opened. */
  readonly raiseStep: (id: string, by: Limits) => void;
  readonly steps: () => ReadonlyMap<StepId, Account>;
}

/** What the journal says that a run and its steps have spent; nothing for a new run. */
export interface PastSpending {
  readonly usage: Usage;
  readonly steps: readonly { readonly step_id: string; readonly usage: Usage }[];
}

export function openRunAccounts(
  budgets: Budgets,
  request: Pick<RunRequest, "max_tokens" | "max_usd">,
  past: PastSpending | undefined,
): RunAccounts {
  const limits = { tokens: request.max_tokens, usd: request.max_usd };
  const spent = past === undefined ? NOTHING_SPENT : spentOf(past.usage);
  const run = budgets.open({ scope: "run", label: "the run", limits, spent }, budgets.day);
  const steps = new Map<StepId, Account>();
  const raises: { readonly id: string; readonly by: Limits }[] = [];
  const openStep = (id: StepId, budget: Role["budget"]): Account => {
    const before = past?.steps.find(({ step_id }) => step_id === id)?.usage;
    const account = budgets.open(
      {
        scope: "step",
        label: `step ${id}`,
        limits: { tokens: budget.max_tokens, usd: budget.max_usd },
        ...(before === undefined ? {} : { spent: spentOf(before) }),
      },
      run,
    );
    for (const raised of raises) if (raised.id === id) budgets.raise(account, raised.by);
    steps.set(id, account);
    return account;
  };
  return {
    run,
    step: (id, budget) => steps.get(id) ?? openStep(id, budget),
    raiseStep: (id, by) => void raises.push({ id, by }),
    steps: () => steps,
  };
}
