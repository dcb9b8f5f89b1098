import type { Usage } from "../../protocol/model.js";

/** Most that may be spent; what is left out has no ceiling. */
export interface Limits {
  readonly tokens?: number | undefined;
  readonly usd?: number | undefined;
}

/** Whose account it is: what a shortage is worth depends on it. */
export type BudgetScope = "day" | "run" | "step" | "agent";

export interface AccountOpening {
  readonly scope: BudgetScope;
  /** As messages name it: `the run`, `step write`. */
  readonly label: string;
  readonly limits: Limits;
  /** What the journal says was spent before; in the current period, where there is one. */
  readonly spent?: Spent;
  /** Spending begins anew every so many ms, counted from the epoch: a day's begins at midnight UTC. */
  readonly periodMs?: number | undefined;
}

export interface Spent {
  readonly tokens: number;
  readonly usd: number;
}

export const NOTHING_SPENT: Spent = { tokens: 0, usd: 0 };

export function spentOf({ input_tokens, output_tokens, usd }: Usage): Spent {
  return { tokens: input_tokens + output_tokens, usd };
}

/** One node of the tree of budgets: the machine's day, a run, a step or an agent. Its numbers change; `parent` bounds it too. */
export interface Account {
  readonly scope: BudgetScope;
  readonly label: string;
  readonly parent: Account | undefined;
  readonly periodMs: number | undefined;
  /** The limits it was opened with: what an operator may give again. */
  readonly opened: Limits;
  limits: Limits;
  spent: Spent;
  reserved: Spent;
  /** Calls under way that count against it. */
  underWay: number;
  /** One of them may cost more than was left, so that no other is let in beside it. */
  isTight: boolean;
  /** Which period `spent` belongs to. */
  period: number;
}

export function openAccount(
  opening: AccountOpening,
  parent: Account | undefined,
  nowMs: number,
): Account {
  const { scope, label, limits, spent = NOTHING_SPENT, periodMs } = opening;
  return {
    ...{ scope, label, parent, periodMs, opened: limits, limits, spent },
    reserved: NOTHING_SPENT,
    underWay: 0,
    isTight: false,
    period: periodOf(periodMs, nowMs),
  };
}

/** The account and all that bound it, the nearest first. */
export function lineOf(account: Account): readonly Account[] {
  const line: Account[] = [];
  for (let at: Account | undefined = account; at !== undefined; at = at.parent) line.push(at);
  return line;
}

/**
 * Begins the period that `nowMs` lies in, once: what was spent in an earlier one no longer counts. What is reserved does, and is
 * spent in the period in which it is settled, so that no use is lost between two.
 */
export function rollPeriod(account: Account, nowMs: number): void {
  const current = periodOf(account.periodMs, nowMs);
  if (current <= account.period) return;
  account.period = current;
  account.spent = NOTHING_SPENT;
}

function periodOf(periodMs: number | undefined, nowMs: number): number {
  return periodMs === undefined ? 0 : Math.floor(nowMs / periodMs);
}

export function plus(a: Spent, b: Spent): Spent {
  return { tokens: a.tokens + b.tokens, usd: a.usd + b.usd };
}

export function minus(a: Spent, b: Spent): Spent {
  return { tokens: a.tokens - b.tokens, usd: a.usd - b.usd };
}
