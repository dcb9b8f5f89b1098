import type { AgentOutcome } from "../agent/agent-input.js";
import { oneLine } from "../base/text.js";
import { renderTemplate } from "../policy/expand.js";
import type { Json } from "../protocol/json.js";
import type { Message } from "../protocol/message.js";
import { withSkills } from "./agent-skills.js";
import type { BudgetScope } from "./budgets/account.js";
import { raiseByAsking } from "./budgets/raise-by-asking.js";
import type { Caller } from "./calls/model-calls.js";
import { converse } from "./converse.js";
import { type Failure, providerFailure } from "./failure.js";
import { modelOfStep } from "./model-ladder.js";
import { missingOutputs } from "./output-contract.js";
import type { AgentReply, StepWork } from "./step-work.js";

/**
 * One agent with a model: the conversation that the journal has of it, or else the role's prompt and message. Returns its last
 * reply, or why it did not come to one.
 */
export async function runModelAgent(work: StepWork, signal: AbortSignal): Promise<AgentReply> {
  const { run, step, role, agent, before, history } = work;
  const { settings, models } = run.deps;
  const model = models.resolve(modelOfStep(role, step.id, run.tiers));
  const outcome = await converse(
    {
      ...{ agent, history, model },
      messages: history.messages.length > 0 ? history.messages : await begin(work),
      caller: callerOf(work),
      task: { kind: "step", role: role.name, goal: run.request.goal, params: taskParams(work) },
      limits: {
        max_iterations: role.orchestration.max_iterations,
        max_output_tokens: Math.min(
          role.budget.max_output_tokens ?? settings.agent.max_output_tokens,
          model.max_output_tokens,
        ),
        commit_nudges: role.orchestration.commit_nudges,
      },
      spent: history.usage,
      outputsExist: async () => (await missingOutputs(before)).length === 0,
    },
    signal,
  );
  if (outcome.stop_reason === "complete") return { ok: true, text: outcome.text };
  signal.throwIfAborted();
  return { ok: false, failure: stopFailure(outcome, agent.trouble.overspent) };
}

/** On whose account the step's model is called. */
function callerOf({ run, role, agent }: StepWork): Caller {
  const { account, flow, rest, deadline } = agent.home;
  return {
    ...{ record: agent.record, account, flow, rest, deadline },
    max_input_tokens: role.budget.max_input_tokens,
    onShortage: async (shortage, signal) => {
      const asks = role.budget.on_exceeded === "ask";
      if (asks && (await raiseByAsking(run, agent, shortage, signal))) return true;
      agent.trouble.overspent = shortage.account.scope;
      return false;
    },
  };
}

/** The conversation of an agent that has none yet. */
async function begin({ role, params, agent }: StepWork): Promise<readonly Message[]> {
  const message = renderTemplate(role.message_template, params);
  const messages: readonly Message[] = [
    { role: "system", text: withSkills(role.system_prompt, agent.skills) },
    { role: "user", text: message },
  ];
  await agent.record(
    { kind: "agent_execution_started", message_preview: oneLine(message, 100) },
    ...messages.map((entry, index) => ({
      kind: "message_appended" as const,
      index,
      message: entry,
    })),
  );
  return messages;
}

function taskParams({ params }: StepWork): Record<string, Json> {
  return Object.fromEntries(
    Object.entries(params).map(([name, value]) => [
      name,
      typeof value === "string" ? value : [...value],
    ]),
  );
}

/**
 * How each way of not completing counts: a model that could not is worth another plan, a broken provider is not. A step that has
 * used up its own budget may be planned smaller; a run or a day that is used up has nothing left for another plan.
 */
function stopFailure(outcome: AgentOutcome, overspent: BudgetScope | undefined): Failure {
  const message = outcome.message ?? `the agent stopped: ${outcome.stop_reason}`;
  if (outcome.stop_reason === "budget_exceeded" && overspent !== "run" && overspent !== "day")
    return { code: "budget_exceeded", message, class: "replan" };
  if (outcome.failure !== undefined) return providerFailure(outcome.failure.kind, message);
  if (outcome.stop_reason === "budget_exceeded")
    return { code: "budget_exceeded", message, class: "fatal" };
  return { code: "step_failed", message: `${outcome.stop_reason}: ${message}`, class: "replan" };
}
