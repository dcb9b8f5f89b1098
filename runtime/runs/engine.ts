import type { ApprovalId } from "../protocol/approval.js";
import type { BudgetLine, ModelLatency, ProviderQueue } from "../protocol/budget.js";
import type { NewEvent } from "../protocol/event.js";
import type { AgentId, RunId } from "../protocol/ids.js";
import type { RunRequest } from "../protocol/run.js";
import type { LaunchServer } from "../tools/mcp/server-link.js";
import type { AgentOperations } from "./agents/operate-agents.js";
import type { Verdict } from "./approvals/approvals.js";
import type { Peer } from "./peer.js";

/** What others may ask of the room `runs`; everything about the past is read from the store instead. */
export interface RunEngine {
  /** Takes up every run that has not ended and is not paused, where its journal says that it stands. Once, before anything else. */
  readonly recover: () => Promise<void>;
  /** Durable when it returns: the run is in the journal and will be carried out. */
  readonly submit: (
    request: RunRequest,
    peer: Peer,
    /** What goes into the journal in the same append: all of it or none. */
    beside?: (runId: RunId) => readonly NewEvent[],
  ) => Promise<RunId>;
  /** Throws what `submit` would throw for this request; nothing comes of it. */
  readonly check: (request: RunRequest) => void;
  /** Ends the run and all that belongs to it; returns when nothing of it is left. No effect on an ended run. */
  readonly cancel: (runId: RunId, peer: Peer) => Promise<void>;
  /** No turn and no call of the run begins any more; what is under way ends. Durable when it returns. No effect on a paused run. */
  readonly pause: (runId: RunId, peer: Peer) => Promise<void>;
  /** Puts a paused run back into the queue: it goes on where it stood. No effect on one that is not paused. */
  readonly resume: (runId: RunId, peer: Peer) => Promise<void>;
  /** The disk is nearly full: no run begins, and all come to rest with that reason, until `goOn`. */
  readonly hold: (reason: string) => Promise<void>;
  /** No run may begin now. */
  readonly isHeld: () => boolean;
  /** Runs begin again, and those that came to rest for the disk go on; not those that an operator paused. */
  readonly goOn: () => Promise<void>;
  readonly agents: AgentOperations;
  /** Ends one agent; the step that it works for fails. Returns when nothing of it is left. */
  readonly stopAgent: (agentId: AgentId, peer: Peer) => Promise<void>;
  /** An operator's answer to what waits. Throws `unknown_id`, `illegal_transition`, and `denied` where policy.yaml forbids it. */
  readonly respond: (id: ApprovalId, verdict: Verdict, peer: Peer) => Promise<void>;
  /** What of the machine's day is used, or of a run under way and its steps. */
  readonly budgets: (runId?: RunId) => readonly BudgetLine[];
  /** How the models and providers do that were called. */
  readonly traffic: () => {
    readonly models: readonly ModelLatency[];
    readonly providers: readonly ProviderQueue[];
  };
  /** Somebody watches the run who can be asked in place, until it is disposed of. */
  readonly attend: (runId: RunId) => Disposable;
  /** Launches an MCP server as a holder of tokens. */
  readonly launchServer: LaunchServer;
  /**
   * Lets go of all runs, for the next daemon to take up. Tool calls under way have until `signal` aborts; one that is cut then has no
   * outcome in the journal.
   */
  readonly close: (signal: AbortSignal) => Promise<void>;
}
