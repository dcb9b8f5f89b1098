import type { Granted } from "./access.js";
import type { StopReason } from "./agent.js";
import type { Grant } from "./capability.js";
import type { Manifest } from "./manifest.js";
import type { PortResult } from "./ports.js";

/** An agent as a manifest describes it, its prompt read and its capabilities understood. `spawn_child:` has to allow its name. */
export interface AgentSpec {
  readonly name: string;
  readonly manifest: Manifest;
  readonly system_prompt: string;
  readonly grants: readonly Grant[];
}

/** What one exchange with an agent came to. */
export interface AgentReport {
  readonly agent_id: string;
  /** The agent's last words; empty where it came to none. */
  readonly response: string;
  readonly usage: { readonly input_tokens: number; readonly output_tokens: number };
  readonly iterations: number;
  readonly stop_reason: StopReason;
  /** Why it stopped, where it did not complete. */
  readonly message?: string;
}

/** An agent that lives on and can be written to. */
export interface Addressee {
  readonly agent_id: string;
  /** What `message_send:` has to allow. */
  readonly name: string;
}

/** One agent's way to other agents: children of its own, which end with their answer, and those that live on. */
export interface AgentsPort {
  /** What the text names or holds: a manifest of the catalog, a role, or a manifest's YAML whole. */
  readonly resolve: (manifest: string) => PortResult<AgentSpec>;
  /** Carries a child to its end. What it holds is cut from what this agent holds, or it is not born. */
  readonly runChild: (
    allowed: Granted<"spawn_child">,
    child: AgentSpec,
    message: string,
    signal: AbortSignal,
  ) => Promise<PortResult<AgentReport>>;
  /** The one living agent of that id or name. */
  readonly find: (agent: string) => PortResult<Addressee>;
  /** Puts a message into the other's mailbox; `unavailable` where that is full. Durable when it returns. */
  readonly send: (
    allowed: Granted<"message_send">,
    to: Addressee,
    message: string,
  ) => Promise<PortResult<{ readonly trace_id: string }>>;
  /** The same, and waits for the answer: `timeout` after `timeoutMs`, when the message is still the other's to answer. */
  readonly sendAndWait: (
    allowed: Granted<"message_send">,
    to: Addressee,
    message: string,
    timeoutMs: number,
    signal: AbortSignal,
  ) => Promise<PortResult<AgentReport>>;
  /** Children at the same time that one call may ask for. */
  readonly max_children: number;
}
