import { formatDuration } from "../base/duration.js";
import { formatGrant } from "../policy/grammar.js";
import type { Token } from "../protocol/token.js";

/** A token in the written form of its grant, with its limits. */
export function formatToken(token: Token): string {
  const { capability, max_invocations, rate_limit, expires_at } = token;
  const expiry = expires_at === null ? "" : ` until ${new Date(expires_at).toISOString()}`;
  const rate =
    rate_limit === null ? "" : ` (${rate_limit.count} per ${formatDuration(rate_limit.per_ms)})`;
  const constraints = max_invocations === null ? {} : { max_invocations };
  return `${formatGrant({ capability, constraints })}${rate}${expiry}`;
}
