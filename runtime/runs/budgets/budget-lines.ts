import type { BudgetLine } from "../../protocol/budget.js";
import { type Account, rollPeriod } from "./account.js";

/** What of an account is used, a line for each of its limits; none for one without. */
export function budgetLines(account: Account, nowMs: number): readonly BudgetLine[] {
  rollPeriod(account, nowMs);
  const { scope, label, limits, spent, reserved } = account;
  return (["tokens", "usd"] as const).flatMap((unit) => {
    const limit = limits[unit];
    if (limit === undefined || !Number.isFinite(limit)) return [];
    return [{ scope, label, unit, used: spent[unit], reserved: reserved[unit], limit }];
  });
}
