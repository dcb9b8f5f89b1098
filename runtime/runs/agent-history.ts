import type { ContextSummary } from "../agent/context.js";
import { assertNever } from "../base/assert-never.js";
import type { EventKind } from "../protocol/event.js";
import type { AgentId } from "../protocol/ids.js";
import type { Message } from "../protocol/message.js";
import { addUsage, NO_USAGE, type ReplyEnd, type Usage } from "../protocol/model.js";
import type { StoreReader } from "../store/reader.js";
import { readEvents, type StoredEvent } from "./read-events.js";

/** A call as the journal tells of it: intended, and what came of it where that is known. */
export interface InvokedCall {
  /** `seq` of the intent. */
  readonly seq: number;
  readonly tool: string;
  readonly read_only: boolean;
  readonly success?: boolean;
}

/** All that an agent's work has to know of what it did before; a new agent has done nothing. */
export interface AgentHistory {
  /** `seq` of its birth; undefined where it is being born now. */
  readonly spawned_seq?: number;
  readonly messages: readonly Message[];
  readonly last_end?: ReplyEnd;
  readonly usage: Usage;
  /** The newest summary of its conversation's beginning. */
  readonly summary?: ContextSummary;
  /** What its step's outputs were like before it; undefined where it is to be looked up. */
  readonly outputs_before?: ReadonlyMap<string, string>;
  /** Calls of the newest turn by the model's id of the call, the newest intent of each. */
  readonly invoked: ReadonlyMap<string, InvokedCall>;
}

export const NOTHING_YET: AgentHistory = { messages: [], usage: NO_USAGE, invoked: new Map() };

const KINDS = [
  "agent_spawned",
  "message_appended",
  "context_summarized",
  "session_cleared",
  "usage_reported",
  "tool_invoked",
  "tool_result",
] as const satisfies readonly EventKind[];

/** What an agent has behind it, by its events alone. */
export function readAgentHistory(reader: StoreReader, id: AgentId): AgentHistory {
  const fold: Fold = { messages: [], usage: NO_USAGE, invoked: new Map() };
  for (const event of readEvents(reader, KINDS, { agent_id: id })) apply(fold, event);
  return fold;
}

interface Fold {
  spawned_seq?: number;
  messages: Message[];
  last_end?: ReplyEnd;
  usage: Usage;
  summary?: ContextSummary;
  outputs_before?: ReadonlyMap<string, string>;
  invoked: Map<string, InvokedCall>;
}

function apply(fold: Fold, event: StoredEvent<(typeof KINDS)[number]>): void {
  switch (event.kind) {
    case "agent_spawned":
      fold.spawned_seq = event.seq;
      if (event.outputs_before !== undefined)
        fold.outputs_before = new Map(Object.entries(event.outputs_before));
      return;
    case "message_appended":
      fold.messages.push(event.message);
      if (event.message.role !== "assistant") return;
      delete fold.last_end;
      if (event.end !== undefined) fold.last_end = event.end;
      // Ids of calls are unique within a turn only.
      fold.invoked.clear();
      return;
    case "context_summarized":
      fold.summary = { text: event.summary, upto: event.source_range[1] + 1 };
      return;
    case "session_cleared":
      fold.summary = { text: "", upto: event.upto };
      return;
    case "usage_reported": {
      const { input_tokens, output_tokens, usd } = event;
      fold.usage = addUsage(fold.usage, { input_tokens, output_tokens, usd });
      return;
    }
    case "tool_invoked": {
      const { seq, tool, read_only } = event;
      fold.invoked.set(event.call_id, { seq, tool, read_only });
      return;
    }
    case "tool_result": {
      const intent = fold.invoked.get(event.call_id);
      if (intent !== undefined)
        fold.invoked.set(event.call_id, { ...intent, success: event.success });
      return;
    }
    default:
      assertNever(event);
  }
}
