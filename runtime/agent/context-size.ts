import type { Message } from "../protocol/message.js";
import type { ToolSpec } from "../protocol/model.js";

/** Bytes of a token before any call has told better. */
export const USUAL_BYTES_PER_TOKEN = 4;
/** Texts lie between these, code and scripts of every kind included; what a server reports beyond is no measure. */
const LEAST = 1;
const MOST = 8;
/** What an API adds around each message. */
const ENVELOPE_BYTES = 16;

/** What a message takes up on its way to the model, roughly. */
export function messageBytes(message: Message): number {
  const own = ENVELOPE_BYTES + Buffer.byteLength(message.text);
  if (message.role !== "assistant") return own;
  const { reasoning = "", opaque = [], tool_calls } = message;
  const extra = [...opaque, ...tool_calls].map((part) => Buffer.byteLength(JSON.stringify(part)));
  return extra.reduce((sum, bytes) => sum + bytes, own + Buffer.byteLength(reasoning));
}

export function conversationBytes(messages: readonly Message[]): number {
  return messages.reduce((sum, message) => sum + messageBytes(message), 0);
}

/** What the descriptions of the tools take up beside the conversation. */
export function toolBytes(tools: readonly ToolSpec[]): number {
  return tools.length === 0 ? 0 : Buffer.byteLength(JSON.stringify(tools));
}

/** Bytes a token by what the provider reported for a call of that many bytes; the old measure where it reported nothing. */
export function calibrated(before: number, bytes: number, inputTokens: number): number {
  if (inputTokens <= 0 || bytes <= 0) return before;
  return Math.min(MOST, Math.max(LEAST, bytes / inputTokens));
}
