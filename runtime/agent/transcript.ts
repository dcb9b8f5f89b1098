import type { AssistantMessage, Message, ToolCallRequest } from "../protocol/message.js";
import type { ReplyEnd } from "../protocol/model.js";
import { isAsked } from "./context.js";
import { NUDGES } from "./nudge.js";
import { readTurn, type Turn } from "./read-turn.js";

/** What has been said since the agent was last asked something, that included. */
export function exchangeOf(messages: readonly Message[]): readonly Message[] {
  return messages.slice(Math.max(0, messages.findLastIndex(isAsked)));
}

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

/** The last message, where it is a reply without calls: the loop has yet to act on it. `end` is how that reply ended. */
export function unconcludedTurn(
  messages: readonly Message[],
  end: ReplyEnd = "end_turn",
): Turn | undefined {
  const message = messages.at(-1);
  if (message?.role !== "assistant" || message.tool_calls.length > 0) return undefined;
  return readTurn({ message, end });
}

/** What the loop remembers of the turns behind it: how many in a row held nothing or were cut off, and the answer in pieces. */
export function pendingTurns(messages: readonly Message[]): {
  readonly blanks: number;
  readonly cutOffs: number;
  readonly answer: string;
} {
  const nothing = { blanks: 0, cutOffs: 0, answer: "" };
  let pending = nothing;
  let last = "";
  for (const message of messages) {
    if (message.role === "assistant") {
      last = message.text;
      if (message.tool_calls.length > 0) pending = nothing;
    } else if (message.role === "user") {
      pending = afterNudge(message.text, pending, last) ?? nothing;
      last = "";
    }
  }
  return pending;
}

function afterNudge(
  text: string,
  { blanks, cutOffs, answer }: ReturnType<typeof pendingTurns>,
  last: string,
): ReturnType<typeof pendingTurns> | undefined {
  if (text === NUDGES.truncated) return { blanks: 0, cutOffs: cutOffs + 1, answer: answer + last };
  if (text === NUDGES.blank || text === NUDGES.thought_only)
    return { blanks: blanks + 1, cutOffs: 0, answer };
  return undefined;
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
