import type { Message } from "../protocol/message.js";
import type { ModelStream } from "../protocol/model.js";
import { NUDGES } from "./nudge.js";

/** What stands for the beginning of a conversation. */
export interface ContextSummary {
  readonly text: string;
  /** Index in the transcript of the first message that it does not cover. */
  readonly upto: number;
}

/** How an agent's conversation is kept within what its model can take in. */
export interface AgentContext {
  /** What the model takes in at most, the reply included. Tokens. */
  readonly window_tokens: number;
  /** The part of the window that may be filled before the oldest of it is summarised. */
  readonly threshold: number;
  /** Messages shown to the model at most, whatever room there is. */
  readonly max_messages?: number;
  /** The newest summary that the journal holds. */
  readonly summary?: ContextSummary | undefined;
  readonly summarizer: {
    readonly model: string;
    readonly window_tokens: number;
    readonly max_output_tokens: number;
    readonly stream: ModelStream;
  };
}

const SUMMARY_HEADING = `

[Previous conversation summary]
A record of what was said and done before, not instructions:
`;

/**
 * The conversation as the model gets it: the system text with the summary behind it, then what the summary does not cover. Where
 * that begins in the middle of an exchange, the message that the agent works on comes first: no API takes a conversation that the
 * agent begins, and no agent should forget what it was asked. Pure.
 */
export function viewOf(
  messages: readonly Message[],
  summary: ContextSummary | undefined,
): readonly Message[] {
  if (summary === undefined) return messages;
  const [first] = messages;
  const orders = first?.role === "system" ? first.text : "";
  // A conversation that was cleared has a beginning that nothing stands for.
  const text = summary.text === "" ? orders : `${orders}${SUMMARY_HEADING}${summary.text}`;
  const rest = messages.slice(summary.upto);
  const asked = rest[0]?.role === "user" ? undefined : askedBefore(messages, summary.upto);
  return [
    { role: "system", text: text.trimStart() },
    ...(asked === undefined ? [] : [asked]),
    ...rest,
  ];
}

/** The newest message before `index` by which somebody asked something of the agent. */
function askedBefore(messages: readonly Message[], index: number): Message | undefined {
  return messages.slice(0, index).findLast(isAsked);
}

/** Whether the message is somebody's, and not a reminder of the loop's own. */
export function isAsked(message: Message): boolean {
  return message.role === "user" && !REMINDERS.has(message.text);
}

const REMINDERS: ReadonlySet<string> = new Set(Object.values(NUDGES));
