import { errorText } from "../base/error-text.js";
import type { StopReason } from "../protocol/agent.js";
import type { Message } from "../protocol/message.js";
import { NO_USAGE, type ReplyEnd, type Usage } from "../protocol/model.js";
import type { AgentInput, AgentOutcome } from "./agent-input.js";
import type { ContextSummary } from "./context.js";
import { USUAL_BYTES_PER_TOKEN } from "./context-size.js";
import { NUDGES, type NudgeReason } from "./nudge.js";
import { RepeatGuard } from "./repeat-guard.js";
import {
  answeredCalls,
  commitNudgesSpent,
  exchangeOf,
  pendingTurns,
  turnsTaken,
} from "./transcript.js";

/** What one run of the loop remembers. All of it can be told from the transcript. */
export interface AgentProgress {
  readonly messages: Message[];
  readonly guard: RepeatGuard;
  iterations: number;
  commitNudgesLeft: number;
  usage: Usage;
  /** What stands for the beginning of `messages` when the model is asked. */
  summary: ContextSummary | undefined;
  /** As the provider's own counts tell. */
  bytesPerToken: number;
  /** Tokens that the conversation has to reach before another summary is tried. */
  retrySummaryAt: number;
  /** Turns in a row that held nothing, and that were cut off. */
  blanks: number;
  cutOffs: number;
  /** The answer so far, where it came in pieces. */
  answer: string;
}

/** Where an agent stands that has this conversation behind it. */
export function beginAgent(input: AgentInput): AgentProgress {
  const guard = new RepeatGuard(input.limits.repeat_threshold);
  // An agent that lives on has every message that it is asked to answer before it, and begins each anew.
  const exchange = exchangeOf(input.messages);
  for (const call of answeredCalls(exchange)) guard.count(call);
  return {
    messages: [...input.messages],
    guard,
    iterations: turnsTaken(exchange),
    commitNudgesLeft: input.limits.commit_nudges - commitNudgesSpent(exchange),
    summary: input.context?.summary,
    bytesPerToken: USUAL_BYTES_PER_TOKEN,
    retrySummaryAt: 0,
    usage: input.spent ?? NO_USAGE,
    ...pendingTurns(exchange),
  };
}

/** Adds to the conversation, in the journal first. */
export async function append(
  input: AgentInput,
  progress: AgentProgress,
  message: Message,
  how: { readonly end?: ReplyEnd; readonly tell?: AgentInput["emit"] | undefined } = {},
): Promise<void> {
  const { end, tell = input.emit } = how;
  const index = progress.messages.length;
  await tell({ kind: "message_appended", index, message, ...(end !== undefined && { end }) });
  progress.messages.push(message);
}

/** Tells the model that its turn led nowhere. */
export async function nudge(
  input: AgentInput,
  progress: AgentProgress,
  reason: NudgeReason,
): Promise<void> {
  await input.emit({ kind: "agent_nudged", reason });
  await append(input, progress, { role: "user", text: NUDGES[reason] });
}

export function outcome(
  progress: AgentProgress,
  stop_reason: StopReason,
  message?: string,
): AgentOutcome {
  const { answer: text, usage, iterations } = progress;
  return { stop_reason, text, usage, iterations, ...(message !== undefined && { message }) };
}

/** The outcome of an abort: by a clock, by a budget, or by somebody. */
export function abortedOutcome(progress: AgentProgress, signal: AbortSignal): AgentOutcome {
  const reason: unknown = signal.reason;
  return outcome(progress, stopReasonOf(reason), errorText(reason));
}

function stopReasonOf(reason: unknown): StopReason {
  if (!(reason instanceof Error)) return "cancelled";
  if ("code" in reason && reason.code === "budget_exceeded") return "budget_exceeded";
  return reason.name === "TimeoutError" ? "timeout" : "cancelled";
}
