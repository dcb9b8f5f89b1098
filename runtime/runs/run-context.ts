import type { Ceiling } from "../policy/ceiling.js";
import type { AgentsPort } from "../protocol/agents-port.js";
import type { EventContext } from "../protocol/event.js";
import type { AgentId, RunId } from "../protocol/ids.js";
import type { Manifest } from "../protocol/manifest.js";
import type { MemoryRules } from "../protocol/memory.js";
import type { RunRequest } from "../protocol/run.js";
import type { AgentPorts } from "../sandbox/agent-ports.js";
import type { AgentSkills } from "./agent-skills.js";
import type { ApprovalRules } from "./approvals/approval-rules.js";
import type { Approvals } from "./approvals/approvals.js";
import type { Attendance } from "./approvals/attendance.js";
import type { Account, BudgetScope } from "./budgets/account.js";
import type { Budgets } from "./budgets/budgets.js";
import type { RunAccounts } from "./budgets/run-accounts.js";
import type { ModelCalls } from "./calls/model-calls.js";
import type { EngineDeps } from "./deps.js";
import type { ModelTiers } from "./model-ladder.js";
import type { Recorder } from "./record.js";
import type { RunHistory } from "./run-history.js";
import type { RunMoves } from "./run-moves.js";
import type { Slots } from "./slots.js";
import type { TokenLedger } from "./token-ledger.js";

/** One run under way: what was asked, where it works, what it may spend, and the daemon's shared parts. */
export interface RunContext {
  readonly id: RunId;
  readonly request: RunRequest;
  /** The run's own directory, absolute and resolved. */
  readonly dir: string;
  /** What it and its steps may spend and have spent. */
  readonly accounts: RunAccounts;
  /** When its time is over, ms since the epoch; infinite while nothing limits it. */
  endsAt: number;
  readonly tiers: ModelTiers;
  readonly moves: RunMoves;
  /** What was done before: nothing, of a new run. */
  readonly history: RunHistory;
  /** Aborts with `LetGo` when nothing new may begin: what is under way ends, and the run is taken up again from its journal. */
  readonly rest: AbortSignal;
  readonly deps: EngineDeps;
  readonly shared: Shared;
}

/** What all runs of the daemon share. */
export interface Shared {
  readonly ledger: TokenLedger;
  readonly budgets: Budgets;
  readonly modelCalls: ModelCalls;
  /** Agents at the same time, by policy.yaml. */
  readonly agentSlots: Slots;
  /** Tool calls under way, of all agents: a daemon that ends waits a moment for them, since a cut one has no known outcome. */
  readonly toolCalls: Set<Promise<unknown>>;
  /** An agent's way to other agents. */
  readonly agentsFor: (agent: LiveAgent) => AgentsPort;
  /** The budgets of runs that are being carried out. */
  readonly accounts: Map<RunId, RunAccounts>;
  readonly approvals: Approvals;
  readonly attendance: Attendance;
  readonly liveAgents: Map<AgentId, StoppableAgent>;
}

/** An agent at work. */
interface StoppableAgent {
  readonly stop: AbortController;
  /** Resolves when nothing of it is left; never rejects. */
  readonly ended: Promise<void>;
}

/** Where an agent lives and what it draws on: a step of a run, or a place of its own. */
export interface AgentHome {
  readonly deps: EngineDeps;
  readonly shared: Shared;
  /** Its directory, absolute and resolved. */
  readonly dir: string;
  /** What its events carry beside its own id. */
  readonly of: Pick<EventContext, "run_id" | "step_id">;
  /** How many agents stand between it and whom nobody spawned. */
  readonly depth: number;
  /** What its manifest says of its memory; a role's agent has none of its own. */
  readonly memory?: Manifest["memory"];
  /** The run whose operator can be asked; undefined where the agent belongs to none. */
  readonly run?: RunContext;
  /** What of its calls an operator decides; a child is bound by its parent's rules and its own. */
  readonly rules: ApprovalRules;
  /** What it spends from, and its children with it. */
  readonly account: Account;
  /** Whose turn its model calls take, and by when one that is made now should have begun. */
  readonly flow: string;
  readonly deadline: () => number;
  /** Aborts with `LetGo` when nothing new may begin. */
  readonly rest: AbortSignal;
}

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
