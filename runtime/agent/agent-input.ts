import type { StopReason } from "../protocol/agent.js";
import type { EventBodyOf } from "../protocol/event.js";
import type { Message, ToolCallRequest } from "../protocol/message.js";
import type {
  ModelEvent,
  ModelStream,
  ModelTask,
  ProviderFailure,
  ReplyEnd,
  ToolSpec,
  Usage,
} from "../protocol/model.js";
import type { AgentContext } from "./context.js";

/** A reply of the model, as its stream gives it. */
export type Reply = Extract<ModelEvent, { type: "reply" }>;

/** What the loop tells as it happens. Durable when `emit` resolves; nothing goes on before. */
export type AgentEmit = EventBodyOf<
  | "message_appended"
  | "agent_nudged"
  | "tool_repeat"
  | "tool_repeat_guard_fired"
  | "model_call_retried"
  | "context_summarized"
  | "context_summarization_failed"
>;

export interface AgentLimits {
  readonly max_iterations: number;
  readonly max_output_tokens: number;
  readonly max_total_tokens: number;
  readonly commit_nudges: number;
  readonly repeat_threshold: number;
}

/** A call's result as the model gets it: bounded JSON text. */
export interface CallResult {
  readonly text: string;
  readonly is_error: boolean;
  /** Writes the message that tells the model, and in the same append whatever of the call's outcome is not in the journal yet. */
  readonly tell?: AgentInput["emit"];
}

/** All that an agent's loop works with; it has no other way to touch the world. */
export interface AgentInput {
  /** The conversation so far; already in the journal. It may end in the middle of a turn. */
  readonly messages: readonly Message[];
  /** How the newest of its replies ended. */
  readonly last_end?: ReplyEnd | undefined;
  /** What the agent has used before. */
  readonly spent?: Usage;
  readonly tools: readonly ToolSpec[];
  /** Names of tools whose calls change nothing: neighbours among them run at the same time. */
  readonly read_only_tools?: ReadonlySet<string>;
  /** The model id, and the provider's name for events. */
  readonly model: string;
  readonly provider: string;
  readonly task?: ModelTask;
  readonly limits: AgentLimits;
  readonly stream: ModelStream;
  /** Without it the whole conversation goes to the model each time. */
  readonly context?: AgentContext;
  /** Checks, journals and carries out one call. A failed call is a result; it throws only where an invariant broke. */
  readonly callTool: (request: ToolCallRequest, signal: AbortSignal) => Promise<CallResult>;
  readonly emit: (event: AgentEmit) => Promise<void>;
  /** Whether every declared output is on disk; true where none is declared. */
  readonly outputsExist: () => Promise<boolean>;
}

/** How the loop ended. `text` is the final answer, where there is one. */
export interface AgentOutcome {
  readonly stop_reason: StopReason;
  readonly text: string;
  /** All that the agent has used. */
  readonly usage: Usage;
  /** Turns of the model, those before a crash included. */
  readonly iterations: number;
  readonly message?: string;
  /** Set where the provider gave no reply. */
  readonly failure?: ProviderFailure;
}
