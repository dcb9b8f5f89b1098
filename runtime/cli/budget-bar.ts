import { formatDuration } from "../base/duration.js";
import type { BudgetLine } from "../protocol/budget.js";
import { formatTokens, formatUsd } from "./format.js";
import type { Style } from "./style.js";

const CELLS = 20;

/** `[########------------]  40%  40.0k of 100.0k tokens`; what calls under way have reserved is shown as `=`. */
export function budgetBar({ unit, used, reserved, limit }: BudgetLine, style: Style): string {
  const cells = (amount: number): number =>
    limit <= 0 ? CELLS : Math.min(CELLS, Math.round((amount / limit) * CELLS));
  const full = cells(used);
  const held = Math.max(0, cells(used + reserved) - full);
  const bar = `[${"#".repeat(full)}${"=".repeat(held)}${"-".repeat(CELLS - full - held)}]`;
  const percent = limit <= 0 ? 100 : Math.round((used / limit) * 100);
  const tone = percent >= 100 ? "bad" : percent >= 80 ? "warn" : "good";
  return `${style[tone](bar)} ${String(percent).padStart(3)}%  ${amounts({ unit, used, limit })}`;
}

function amounts({ unit, used, limit }: Pick<BudgetLine, "unit" | "used" | "limit">): string {
  if (unit === "tokens") return `${formatTokens(used)} of ${formatTokens(limit)} tokens`;
  if (unit === "usd") return `${formatUsd(used)} of ${formatUsd(limit)}`;
  return `${formatDuration(used * 1_000)} of ${formatDuration(limit * 1_000)}`;
}
