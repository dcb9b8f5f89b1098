import type { AssistantMessage, Message, ToolCallRequest } from "../protocol/message.js";
import { NUDGES } from "./nudge.js";
import type { Turn } from "./read-turn.js";

/** Calls of the last reply that have no result yet: a transcript may end in the middle of a turn, after a crash. */
export function openCalls(messages: readonly Message[]): readonly ToolCallRequest[] {
  const last = messages.findLastIndex((message) => message.role === "assistant");
  const reply = messages[last];
  if (reply?.role !== "assistant") return [];
  const answered = new Set(
    messages
      .slice(last + 1)
      .flatMap((message) => (message.role === "tool" ? [message.call_id] : [])),
  );
  return reply.tool_calls.filter((call) => !answered.has(call.id));
}

/** The last message, where it is an answer: the loop has yet to act on it. */
export function unconcludedAnswer(messages: readonly Message[]): Turn | undefined {
  const message = messages.at(-1);
  if (message?.role !== "assistant" || message.tool_calls.length > 0) return undefined;
  return { kind: "answer", message };
}

/** Turns of the model so far: its replies, and the nudges that stand for replies which held nothing. */
export function turnsTaken(messages: readonly Message[]): number {
  return messages.filter(
    (message) =>
      message.role === "assistant" ||
      (message.role === "user" &&
        (message.text === NUDGES.blank || message.text === NUDGES.thought_only)),
  ).length;
}

export function commitNudgesSpent(messages: readonly Message[]): number {
  return messages.filter(({ role, text }) => role === "user" && text === NUDGES.uncommitted).length;
}

/**
 * The calls of earlier turns, oldest first, without those that are still open. Their count goes on where it stood.
 */
export function answeredCalls(messages: readonly Message[]): readonly ToolCallRequest[] {
  const open = new Set(openCalls(messages));
  return messages
    .flatMap((message) => (message.role === "assistant" ? message.tool_calls : []))
    .filter((call) => !open.has(call));
}

/** A reply whose call ids are unique: some servers number the calls of every reply alike, or all the same. */
export function withUniqueCallIds(message: AssistantMessage): AssistantMessage {
  const seen = new Set<string>();
  const tool_calls = message.tool_calls.map((call) => {
    let id = call.id;
    for (let n = 2; seen.has(id); n++) id = `${call.id}_${n}`;
    seen.add(id);
    return id === call.id ? call : { ...call, id };
  });
  return { ...message, tool_calls };
}
