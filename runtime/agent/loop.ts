import { assertNever } from "../base/assert-never.js";
import type { AgentInput, AgentOutcome } from "./agent-input.js";
import {
  type AgentProgress,
  abortedOutcome,
  append,
  beginAgent,
  nudge,
  outcome,
} from "./agent-progress.js";
import { answerCalls } from "./answer-calls.js";
import { fitContext } from "./fit-context.js";
import { throwIfLetGo } from "./let-go.js";
import { nextReply } from "./next-reply.js";
import { readTurn, type Turn } from "./read-turn.js";
import { openCalls, unconcludedTurn } from "./transcript.js";

/** Turns in a row that lead nowhere, before the agent is given up. */
const MAX_BLANK = 3;
const MAX_CUT_OFF = 2;

/**
 * Runs one agent until its work is done, a limit is reached, the provider gives up or `signal` aborts:
 * model → tool calls → results → model. Every message is emitted before anything follows from it, and every call has
 * exactly one result, so that the transcript can be resumed at any point by giving it back as `messages`.
 * Throws `LetGo` where the agent is to be taken up again later, else only what `emit`, `callTool` or the stream throw against their
 * own promise.
 */
export async function runAgent(input: AgentInput, signal: AbortSignal): Promise<AgentOutcome> {
  const progress = beginAgent(input);
  let turn = unconcludedTurn(input.messages, input.last_end);
  for (;;) {
    const { hopeless } = await answerCalls(openCalls(progress.messages), input, progress, signal);
    throwIfLetGo(signal);
    if (signal.aborted) return abortedOutcome(progress, signal);
    if (hopeless !== undefined) {
      return outcome(progress, "error", `the same call of ${hopeless} was made again and again`);
    }
    if (turn === undefined) {
      const taken = await takeTurn(input, progress, signal);
      if ("stop_reason" in taken) return taken;
      turn = taken;
    }
    const end = await concludeTurn(turn, input, progress);
    if (end) return end;
    turn = undefined;
  }
}

/** The model's next turn, in the conversation already; or the end, where a limit forbids one or none comes. */
async function takeTurn(
  input: AgentInput,
  progress: AgentProgress,
  signal: AbortSignal,
): Promise<Turn | AgentOutcome> {
  const { max_iterations, max_total_tokens } = input.limits;
  if (progress.iterations >= max_iterations) {
    return outcome(progress, "max_iterations", `no end after ${max_iterations} turns`);
  }
  const tokens = progress.usage.input_tokens + progress.usage.output_tokens;
  if (tokens >= max_total_tokens) {
    return outcome(progress, "max_tokens", `${tokens} of ${max_total_tokens} tokens are used`);
  }
  await fitContext(input, progress, signal);
  let reply = await nextReply(input, progress, signal);
  const isTooLong = reply.type === "failed" && reply.failure.kind === "context_length";
  // The estimate was wrong, or the window is smaller than providers.yaml says.
  if (isTooLong && (await fitContext(input, progress, signal, true)))
    reply = await nextReply(input, progress, signal);
  throwIfLetGo(signal);
  if (signal.aborted) return abortedOutcome(progress, signal);
  if (reply.type === "failed") {
    const { failure } = reply;
    if (failure.kind === "over_budget")
      return { ...outcome(progress, "budget_exceeded", failure.message), failure };
    return { ...outcome(progress, "error", `${failure.kind}: ${failure.message}`), failure };
  }
  progress.iterations++;
  const turn = readTurn(reply);
  // An empty assistant message is refused by most APIs, so that one is left out of the conversation.
  const { text, tool_calls } = turn.message;
  if (text.trim() !== "" || tool_calls.length > 0)
    await append(input, progress, turn.message, { end: reply.end });
  return turn;
}

/** What follows from a turn: another one (undefined), or the end. Calls are answered by the loop itself. */
async function concludeTurn(
  turn: Turn,
  input: AgentInput,
  progress: AgentProgress,
): Promise<AgentOutcome | undefined> {
  const { text } = turn.message;
  progress.blanks = turn.kind === "blank" ? progress.blanks + 1 : 0;
  progress.cutOffs = turn.kind === "cut_off" ? progress.cutOffs + 1 : 0;
  if (turn.kind === "calls") progress.answer = "";
  else if (turn.kind !== "blank") progress.answer += text;
  switch (turn.kind) {
    case "calls":
      return undefined;
    case "answer":
      return concludeAnswer(input, progress);
    case "cut_off":
      if (progress.cutOffs > MAX_CUT_OFF) {
        const limit = input.limits.max_output_tokens;
        return outcome(progress, "truncated", `replies were cut off at ${limit} tokens`);
      }
      await nudge(input, progress, "truncated");
      return undefined;
    case "blank":
      if (progress.blanks > MAX_BLANK) {
        return outcome(progress, "blank", `${progress.blanks} replies in a row held nothing`);
      }
      await nudge(input, progress, turn.reason);
      return undefined;
    case "refused":
      return outcome(progress, "error", "the model refused to go on");
    default:
      return assertNever(turn);
  }
}

/** An answer is the end, unless the declared output is missing and the agent may still be reminded of it. */
async function concludeAnswer(
  input: AgentInput,
  progress: AgentProgress,
): Promise<AgentOutcome | undefined> {
  if (progress.commitNudgesLeft <= 0 || (await input.outputsExist())) {
    return outcome(progress, "complete");
  }
  progress.commitNudgesLeft--;
  progress.answer = "";
  await nudge(input, progress, "uncommitted");
  return undefined;
}
