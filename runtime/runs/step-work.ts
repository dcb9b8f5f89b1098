import type { PlanStep } from "../protocol/plan.js";
import type { Role } from "../protocol/role.js";
import type { AgentHistory } from "./agent-history.js";
import type { Failure } from "./failure.js";
import type { RunContext } from "./run-context.js";
import type { SpawnedAgent } from "./spawn-agent.js";

export type Params = Readonly<Record<string, string | readonly string[]>>;

/** What an agent came to, before its outputs are looked at. */
export type AgentReply =
  | { readonly ok: true; readonly text: string }
  | { readonly ok: false; readonly failure: Failure };

/** All that an agent's work on one step needs. */
export interface StepWork {
  readonly run: RunContext;
  readonly step: PlanStep;
  readonly role: Role;
  readonly params: Params;
  /** Absolute paths of the files that the step promises. */
  readonly outputs: readonly string[];
  /** What they were like before the step. */
  readonly before: ReadonlyMap<string, string>;
  readonly agent: SpawnedAgent;
  /** What the agent has behind it: nothing, where it is new. */
  readonly history: AgentHistory;
}
