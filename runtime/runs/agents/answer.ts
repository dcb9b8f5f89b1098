import type { AgentOutcome } from "../../agent/agent-input.js";
import { oneLine } from "../../base/text.js";
import type { AgentReport, AgentSpec } from "../../protocol/agents-port.js";
import type { EventBody } from "../../protocol/event.js";
import type { Message } from "../../protocol/message.js";
import type { AgentHistory } from "../agent-history.js";
import type { Caller } from "../calls/model-calls.js";
import { converse } from "../converse.js";
import type { LiveAgent } from "../run-context.js";
import { windowTokens } from "./agent-spec.js";

/** Turns of the model that one message may take. */
const MAX_ITERATIONS = 50;

/** Puts a message before the agent, in one append with what led to it; gives the conversation with it. */
export async function ask(
  agent: LiveAgent,
  spec: AgentSpec,
  history: AgentHistory,
  text: string,
  because: readonly EventBody[] = [],
): Promise<AgentHistory> {
  const added: readonly Message[] = [
    ...(history.messages.length === 0
      ? [{ role: "system", text: spec.system_prompt } as const]
      : []),
    { role: "user", text },
  ];
  const first = history.messages.length;
  await agent.record(
    ...because,
    { kind: "agent_execution_started", message_preview: oneLine(text, 100) },
    ...added.map((message, i) => ({
      kind: "message_appended" as const,
      index: first + i,
      message,
    })),
  );
  return { ...history, messages: [...history.messages, ...added], invoked: new Map() };
}

/** Lets the agent work until it has answered what it was asked last, or cannot. */
export function answer(
  agent: LiveAgent,
  { manifest }: AgentSpec,
  history: AgentHistory,
  signal: AbortSignal,
): Promise<AgentOutcome> {
  const { deps } = agent.home;
  const model = deps.models.resolve(manifest.model);
  const { memory } = manifest;
  return converse(
    {
      ...{ agent, history, model, messages: history.messages, caller: callerOf(agent) },
      limits: {
        max_iterations: MAX_ITERATIONS,
        max_output_tokens: Math.min(deps.settings.agent.max_output_tokens, model.max_output_tokens),
        commit_nudges: 0,
      },
      memory: {
        window_tokens: windowTokens(manifest),
        threshold: memory.summarization_threshold,
        max_messages: memory.max_history_messages,
        summarizer: memory.summarization_model,
      },
    },
    signal,
  );
}

function callerOf(agent: LiveAgent): Caller {
  const { account, flow, rest, deadline } = agent.home;
  return {
    ...{ record: agent.record, account, flow, rest, deadline },
    onShortage: ({ account: short }) => {
      agent.trouble.overspent = short.scope;
      return Promise.resolve(false);
    },
  };
}

/** What the exchange came to, for whoever asked. */
export function reportOf(agent_id: string, outcome: AgentOutcome): AgentReport {
  const { usage, text, iterations, stop_reason, message } = outcome;
  const { input_tokens, output_tokens } = usage;
  return {
    ...{ agent_id, response: text, usage: { input_tokens, output_tokens } },
    ...{ iterations, stop_reason },
    ...(message === undefined ? {} : { message }),
  };
}
