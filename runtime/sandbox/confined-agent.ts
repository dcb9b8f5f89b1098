import type { CapabilityKind } from "../protocol/capability.js";
import type { Compiled, CompileRequest } from "../protocol/compile.js";
import type { PortFailure } from "../protocol/ports.js";
import type { Addon } from "./addon.js";
import type { EgressEvent, EgressOptions, JudgePurpose, Verdict } from "./egress/types.js";
import type { LaunchFailure } from "./launcher-wire.js";
import { portFailure } from "./port-failure.js";
import type { Spawner } from "./spawner.js";

/** What every launch needs of the machine. */
export interface Machine {
  readonly spawner: Spawner;
  readonly addon: Addon;
  /** How the egress proxy of a sandbox reaches the network. */
  readonly egress: Pick<EgressOptions, "resolve" | "ownAddresses" | "quotas" | "upstream">;
}

/**
 * One agent as its confined processes see it: what it may do is asked anew at every launch and at every connection, so that a
 * token that is revoked is gone at once.
 */
export interface ConfinedAgent {
  readonly id: string;
  /** The plan under the capabilities that the agent holds now. */
  readonly compile: (request: CompileRequest) => Promise<Compiled>;
  /** As the proxy's judge; `proven` is a use that has been checked and charged before it came here. */
  readonly judge: (host: string, port: number, purpose: JudgePurpose | "proven") => Verdict;
  readonly judgeAddress: NonNullable<EgressOptions["judgeAddress"]>;
  /** A verdict of the agent's egress proxy, for the audit trail. Never throws. */
  readonly report: (event: EgressEvent) => void;
}

/** A token that was taken away. */
export interface RevokedToken {
  readonly kind: CapabilityKind;
  /** In the written form. */
  readonly capability: string;
}

/** What confines a process, by layer, as the launcher reported it. */
export type Enforced = Readonly<Record<string, string>>;

/** Why there is no plan: a grant is missing, or what is granted cannot be enforced here. */
export function notCompiled(compiled: Exclude<Compiled, { ok: true }>): PortFailure {
  if ("problem" in compiled) {
    return portFailure(compiled.absent === true ? "not_found" : "unavailable", compiled.problem);
  }
  const { denial } = compiled;
  return { ok: false, kind: "denied", message: denial.message, denial };
}

/** A launch that failed: nothing ran, and there is no other way to run it. */
export function notLaunched(what: string, { step, errno, detail }: LaunchFailure): PortFailure {
  const more = detail === "" ? "" : ` (${detail})`;
  return portFailure("unavailable", `${what} was not launched: ${step}: ${errno}${more}`);
}
