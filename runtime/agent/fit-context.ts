import { addUsage } from "../protocol/model.js";
import type { AgentInput } from "./agent-input.js";
import type { AgentProgress } from "./agent-progress.js";
import { type AgentContext, type ContextSummary, viewOf } from "./context.js";
import { chooseBoundary } from "./context-boundary.js";
import { calibrated, conversationBytes, toolBytes } from "./context-size.js";
import { type Summarized, summarize } from "./summarize.js";

/** After a failure the conversation has to grow by this part of the window before it is tried again. */
const RETRY_AFTER_GROWTH = 0.05;
/** A summary at a time makes room; more in a row than this would make none. */
const MAX_IN_A_ROW = 4;

/** The conversation as the next call of the model gets it. */
export function shownTo(progress: AgentProgress): ReturnType<typeof viewOf> {
  return viewOf(progress.messages, progress.summary);
}

/** Learns from a call how many bytes a token has. */
export function learnTokenSize(
  input: AgentInput,
  progress: AgentProgress,
  inputTokens: number,
): void {
  const bytes = conversationBytes(shownTo(progress)) + toolBytes(input.tools);
  progress.bytesPerToken = calibrated(progress.bytesPerToken, bytes, inputTokens);
}

/**
 * Makes room before a call: while the conversation fills more of the window than it may, its oldest part is summarised. The
 * transcript keeps all of it. A summary that fails leaves the conversation as it is; `force` asks for one whatever the estimate
 * says. Gives whether there is more room than before.
 */
export async function fitContext(
  input: AgentInput,
  progress: AgentProgress,
  signal: AbortSignal,
  force = false,
): Promise<boolean> {
  const { context } = input;
  if (context === undefined) return false;
  let made = false;
  for (let i = 0; i < MAX_IN_A_ROW && !signal.aborted; i++) {
    const tokens = estimate(input, progress);
    const isDue = isFull(context, progress, tokens) && tokens >= progress.retrySummaryAt;
    if (!isDue && !(force && i === 0)) break;
    if (!(await summarizeOldest(input, context, progress, tokens, signal))) break;
    made = true;
  }
  return made;
}

function estimate({ tools }: AgentInput, progress: AgentProgress): number {
  const bytes = conversationBytes(shownTo(progress)) + toolBytes(tools);
  return Math.ceil(bytes / progress.bytesPerToken);
}

function isFull(context: AgentContext, progress: AgentProgress, tokens: number): boolean {
  const { window_tokens, threshold, max_messages } = context;
  if (tokens > window_tokens * threshold) return true;
  return max_messages !== undefined && shownTo(progress).length > max_messages;
}

async function summarizeOldest(
  input: AgentInput,
  context: AgentContext,
  progress: AgentProgress,
  tokens: number,
  signal: AbortSignal,
): Promise<boolean> {
  const { messages, summary, bytesPerToken } = progress;
  const first = messages[0]?.role === "system" ? 1 : 0;
  const from = Math.max(summary?.upto ?? first, first);
  const { window_tokens, max_messages, summarizer } = context;
  const summarizerBytes = (summarizer.window_tokens - summarizer.max_output_tokens) * bytesPerToken;
  const upto = chooseBoundary({
    ...{ messages, from, summarizerBytes, windowBytes: window_tokens * bytesPerToken },
    ...(max_messages !== undefined && { maxLeft: Math.ceil(max_messages / 2) }),
  });
  const done: Summarized | undefined =
    upto === undefined
      ? undefined
      : await summarize(messages.slice(from, upto), summary, context, summarizerBytes, signal);
  if (done !== undefined) progress.usage = addUsage(progress.usage, done.usage);
  if (signal.aborted) return false;
  if (upto === undefined || done?.ok !== true) {
    progress.retrySummaryAt = tokens + window_tokens * RETRY_AFTER_GROWTH;
    const { failure_kind, reason } =
      done?.ok === false ? done : { failure_kind: "boundary_selection" as const, reason: TOO_FEW };
    const fallback = "the conversation stays as it is";
    await input.emit({ kind: "context_summarization_failed", failure_kind, reason, fallback });
    return false;
  }
  const next: ContextSummary = { text: done.text, upto };
  const saved = tokens - estimate(input, { ...progress, summary: next });
  await input.emit({
    kind: "context_summarized",
    messages_summarized: upto - from,
    source_range: [from, upto - 1],
    tokens_saved_estimate: saved,
    summary: done.text,
  });
  progress.summary = next;
  return true;
}

const TOO_FEW = "the newest message alone fills the window";
