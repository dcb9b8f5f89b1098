import { z } from "zod";
import { AgentLifecycle, StopReason } from "./agent.js";
import { MemoryId } from "./ids.js";
import { Manifest } from "./manifest.js";
import { MemoryCategory } from "./memory.js";
import { Message } from "./message.js";
import { ReplyEnd } from "./model.js";

/** What happens to agents, their conversations, their memory and the messages between them. */
export const AgentEvents = [
  z.strictObject({
    kind: z.literal("agent_spawned"),
    manifest_name: z.string(),
    model: z.string(),
    parent_agent: z.string().optional(),
    /** Of an agent that belongs to no step: how it lives, what it is made of, and whose it is. */
    lifecycle: AgentLifecycle.optional(),
    manifest: Manifest.optional(),
    owner_uid: z.int().nullable().optional(),
    /** Prints of the files that its step promises, as it found them. */
    outputs_before: z.record(z.string(), z.string()).optional(),
  }),
  z.strictObject({
    kind: z.literal("agent_stopped"),
    reason: z.enum(["completed", "user_requested", "error", "capability_revoked", "timeout"]),
    message: z.string().optional(),
  }),
  z.strictObject({ kind: z.literal("agent_execution_started"), message_preview: z.string() }),
  z.strictObject({
    kind: z.literal("agent_execution_completed"),
    stop_reason: StopReason,
    total_iterations: z.int(),
    message: z.string().optional(),
  }),
  z.strictObject({ kind: z.literal("agent_loop_started"), lifecycle: z.string() }),
  z.strictObject({
    kind: z.literal("agent_loop_stopped"),
    reason: z.string(),
    messages_processed: z.int(),
  }),
  z.strictObject({
    kind: z.literal("agent_message_received"),
    trace_id: z.string(),
    /** How it came: `agent.run`, `send_message`, `send_and_wait`, `schedule`. */
    method: z.string(),
    /** An agent's id, or the operator as the audit trail names it. */
    from: z.string(),
    text: z.string(),
  }),
  /** An operator let it rest, or go on. */
  z.strictObject({ kind: z.literal("agent_moved"), move: z.enum(["pause", "resume"]) }),
  /** What was said before no longer counts; the transcript keeps it. `upto` is the index of the first message that does. */
  z.strictObject({ kind: z.literal("session_cleared"), upto: z.int().min(0) }),
  /** One entry of the agent's transcript; the journal holds all of them, so that a step can go on after a crash. */
  z.strictObject({
    kind: z.literal("message_appended"),
    index: z.int().min(0),
    message: Message,
    /** How the model's reply ended: what the loop makes of it depends on that. */
    end: ReplyEnd.optional(),
  }),
  z.strictObject({
    kind: z.literal("agent_nudged"),
    reason: z.enum(["uncommitted", "blank", "truncated", "thought_only"]),
  }),
  z.strictObject({
    kind: z.literal("usage_reported"),
    input_tokens: z.int(),
    output_tokens: z.int(),
    usd: z.number(),
    provider: z.string(),
    model: z.string(),
    latency_ms: z.int(),
  }),
  z.strictObject({
    kind: z.literal("model_call_retried"),
    provider: z.string(),
    model: z.string(),
    attempt: z.int(),
    wait_ms: z.int(),
    reason: z.string(),
  }),
  z.strictObject({
    kind: z.literal("model_call_failed"),
    provider: z.string(),
    model: z.string(),
    failure: z.string(),
    message: z.string(),
  }),
  /** The agent is done with the message; `response` is what whoever waits for it gets. */
  z.strictObject({
    kind: z.literal("message_answered"),
    trace_id: z.string(),
    stop_reason: StopReason,
    response: z.string(),
    message: z.string().optional(),
  }),
  z.strictObject({
    kind: z.literal("message_sent"),
    from: z.string(),
    to: z.string(),
    trace_id: z.string(),
  }),
  /** Taken out of the mailbox: the agent works on it. */
  z.strictObject({
    kind: z.literal("message_delivered"),
    from: z.string(),
    to: z.string(),
    trace_id: z.string(),
  }),
  z.strictObject({
    kind: z.literal("context_summarized"),
    messages_summarized: z.int(),
    source_range: z.tuple([z.int(), z.int()]),
    tokens_saved_estimate: z.int(),
    /** What stands for those messages from now on, and for all before them. */
    summary: z.string(),
  }),
  z.strictObject({
    kind: z.literal("context_summarization_failed"),
    reason: z.string(),
    fallback: z.string(),
    failure_kind: z.enum([
      "llm_call_failed",
      "empty_response",
      "boundary_selection",
      "reply_parse_error",
    ]),
  }),
  /** The content is here and nowhere else in the journal that is not a transcript; `memory forget` erases it. */
  z.strictObject({
    kind: z.literal("memory_stored"),
    memory_id: MemoryId,
    owner: z.string(),
    category: MemoryCategory,
    content: z.string(),
    /** SHA-256 of the content as it was given, hex. */
    content_hash: z.string(),
    replaces: MemoryId.optional(),
  }),
  z.strictObject({
    kind: z.literal("memory_queried"),
    owner: z.string().nullable(),
    query_hash: z.string(),
    results_count: z.int(),
    /** What was found counts as used. */
    memory_ids: z.array(MemoryId),
  }),
  z.strictObject({
    kind: z.literal("memory_deleted"),
    memory_id: MemoryId,
    owner: z.string(),
    reason: z.enum(["deleted", "replaced", "evicted", "expired", "forgotten"]),
  }),
  z.strictObject({
    kind: z.literal("session_store_error"),
    operation: z.enum(["archive", "replace", "append"]),
    message: z.string(),
  }),
] as const;
