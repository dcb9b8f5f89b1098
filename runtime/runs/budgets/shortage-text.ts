import { leftOf, type Shortage } from "./fit-call.js";

/** What was used up, for the operator: `the run has used 1200 of its 1000 tokens`, and what the next call would have needed. */
export function shortageText({ account, unit, needed }: Shortage): string {
  const { label, limits, spent } = account;
  if (unit === "tokens") {
    const used = `${label} has used ${spent.tokens} of its ${limits.tokens ?? 0} tokens`;
    return leftOf(account).tokens <= 0 ? used : `${used}; the next call needs about ${needed}`;
  }
  const used = `${label} has cost $${spent.usd.toFixed(4)} of its $${limits.usd ?? 0}`;
  return leftOf(account).usd <= 0
    ? used
    : `${used}; the next call needs about $${needed.toFixed(4)}`;
}
