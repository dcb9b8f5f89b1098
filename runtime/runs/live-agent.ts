import type { Ceiling } from "../policy/ceiling.js";
import type { AgentId } from "../protocol/ids.js";
import type { MemoryRules } from "../protocol/memory.js";
import type { AgentPorts } from "../sandbox/agent-ports.js";
import type { AgentHome } from "./agent-home.js";
import type { AgentSkills } from "./agent-skills.js";
import type { BudgetScope } from "./budgets/account.js";
import type { Recorder } from "./record.js";

/** One agent that is at work: what a tool call needs to know of it. */
export interface LiveAgent {
  readonly id: AgentId;
  readonly name: string;
  readonly home: AgentHome;
  readonly ceiling: Ceiling;
  readonly ports: AgentPorts;
  /** The run's directory, absolute and resolved. */
  readonly workspace: string;
  readonly memory: MemoryRules;
  readonly skills: AgentSkills;
  readonly record: Recorder;
  /** What happened to it that its step's failure is put down to, whatever its model makes of it. */
  readonly trouble: { diskFull?: string; overspent?: BudgetScope };
}
