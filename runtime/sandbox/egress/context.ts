import type { Flow } from "./flow.js";
import type { Target } from "./parse-connect.js";
import type { EgressEvent, EgressOptions, EgressReason } from "./types.js";

/** What every connection of one set of listeners shares. */
export interface EgressContext extends EgressOptions {
  /** Counts and reports; the options' own `report` is rate-limited behind it. */
  readonly report: (event: EgressEvent) => void;
  /** Counts bytes that pass; false once the quota is used up. */
  readonly spend: (direction: "up" | "down", bytes: number) => boolean;
}

/** Why a request is not carried out, in the words of every protocol that asks. */
export interface Refusal {
  readonly ok: false;
  readonly reason: EgressReason;
  readonly message: string;
}

export const NO_TARGET: Target = { host: "", port: 0 };

/** Reports a refusal by rule and gives it back. */
export function refuse(
  context: EgressContext,
  flow: Flow,
  target: Target,
  reason: EgressReason,
  message: string,
): Refusal {
  const denial = { layer: "egress", message } as const;
  context.report({ via: flow.via, ...target, verdict: "refused", reason, message, denial });
  return { ok: false, reason, message };
}

/** Counts bytes of a flow, and ends it where they are too many. */
export function spendBytes(
  context: EgressContext,
  flow: Flow,
  direction: "up" | "down",
  bytes: number,
): boolean {
  flow.touch();
  if (context.spend(direction, bytes)) return true;
  flow.abort("quota");
  return false;
}
