import { type Ceiling, withinCeiling } from "../policy/ceiling.js";
import { formatGrant } from "../policy/grammar.js";
import type { Grant } from "../protocol/capability.js";
import type { EventBodyOf } from "../protocol/event.js";
import type { Token } from "../protocol/token.js";
import { tokenText } from "./token-ledger.js";

/** What the operator's ceiling leaves of a wish, and what it takes, as the journal tells it. */
export function underCeiling(
  grants: readonly Grant[],
  ceiling: Ceiling,
): {
  readonly granted: readonly Grant[];
  readonly withheld: readonly EventBodyOf<"capability_withheld">[];
} {
  const verdicts = grants.map((grant) => ({ grant, verdict: withinCeiling(grant, ceiling) }));
  return {
    granted: verdicts.flatMap(({ verdict }) => ("grant" in verdict ? [verdict.grant] : [])),
    withheld: verdicts.flatMap(({ grant, verdict }) =>
      "grant" in verdict
        ? []
        : [
            {
              kind: "capability_withheld" as const,
              capability: formatGrant(grant),
              reason: verdict.withheld,
            },
          ],
    ),
  };
}

export function grantedEvents(
  tokens: readonly Token[],
): readonly EventBodyOf<"capability_granted">[] {
  return tokens.map((token) => ({
    kind: "capability_granted",
    capability: tokenText(token),
    token,
  }));
}

export function revokedEvents(
  tokens: readonly Token[],
  reason: string,
): readonly EventBodyOf<"capability_revoked">[] {
  return tokens.map((token) => ({
    kind: "capability_revoked",
    token_id: token.id,
    capability: tokenText(token),
    reason,
  }));
}
