import type { AgentOutcome } from "../agent/agent-input.js";
import { runAgent } from "../agent/loop.js";
import { openCalls } from "../agent/transcript.js";
import { oneLine } from "../base/text.js";
import { decideTool } from "../policy/decide.js";
import { renderTemplate } from "../policy/expand.js";
import type { Json } from "../protocol/json.js";
import type { Message, ToolCallRequest } from "../protocol/message.js";
import { presentResult } from "../tools/present.js";
import { toolSpec } from "../tools/registry.js";
import type { BudgetScope } from "./budgets/account.js";
import { callTool, type ToolCallDeps, toolCallDeps } from "./call-tool.js";
import { callDeadline } from "./calls/deadline.js";
import type { Caller } from "./calls/model-calls.js";
import { type Failure, providerFailure } from "./failure.js";
import { missingOutputs } from "./output-contract.js";
import { resumeCall } from "./resume-call.js";
import type { AgentReply, StepWork } from "./step-work.js";

/**
 * One agent with a model: the conversation that the journal has of it, or else the role's prompt and message; the tools that its
 * tokens let it call; and the loop. Returns its last reply, or why it did not come to one.
 */
export async function runModelAgent(work: StepWork, signal: AbortSignal): Promise<AgentReply> {
  const { run, role, agent, before, history } = work;
  const { settings, models } = run.deps;
  const resolved = models.resolve(role.model);
  const deps = toolCallDeps(run);
  const messages = history.messages.length > 0 ? history.messages : await begin(work);
  const tools = callableTools(work, deps);
  const openAtFirst = new Set(openCalls(messages));
  prewarm(work);
  const outcome = await runAgent(
    {
      messages,
      last_end: history.last_end,
      spent: history.usage,
      tools: tools.map(toolSpec),
      read_only_tools: new Set(tools.filter((tool) => tool.read_only).map((tool) => tool.name)),
      model: resolved.model,
      provider: resolved.provider,
      task: { kind: "step", role: role.name, goal: run.request.goal, params: taskParams(work) },
      limits: {
        max_iterations: role.orchestration.max_iterations,
        max_output_tokens: Math.min(
          role.budget.max_output_tokens ?? settings.agent.max_output_tokens,
          resolved.max_output_tokens,
        ),
        max_total_tokens: settings.agent.max_total_tokens,
        commit_nudges: role.orchestration.commit_nudges,
        repeat_threshold: settings.agent.tool_repeat_threshold,
      },
      stream: run.shared.modelCalls.metered(resolved, callerOf(work)),
      callTool: async (request: ToolCallRequest, stop: AbortSignal) => {
        const call = openAtFirst.delete(request)
          ? resumeCall(agent, request, history, deps, stop)
          : callTool(agent, request, deps, stop);
        const { result, tell } = await call;
        return {
          ...presentResult(result, settings.agent.max_tool_result_bytes),
          tell: async (event) => void (await tell(event)),
        };
      },
      emit: async (event) => {
        await agent.record(event);
      },
      outputsExist: async () => (await missingOutputs(before)).length === 0,
    },
    signal,
  );
  await agent.record({
    kind: "agent_execution_completed",
    stop_reason: outcome.stop_reason,
    total_iterations: outcome.iterations,
    ...(outcome.message === undefined ? {} : { message: outcome.message }),
  });
  if (outcome.stop_reason === "complete") return { ok: true, text: outcome.text };
  signal.throwIfAborted();
  return { ok: false, failure: stopFailure(outcome, agent.trouble.overspent) };
}

/** On whose account the step's model is called. */
function callerOf({ run, role, step, agent }: StepWork): Caller {
  return {
    record: agent.record,
    account: run.accounts.step(step.id, role.budget),
    flow: run.id,
    rest: run.rest,
    deadline: () => callDeadline(run.deps.entropy.now(), role.priority, run.endsAt),
    max_input_tokens: role.budget.max_input_tokens,
    onShortage: ({ account }) => {
      agent.trouble.overspent = account.scope;
      return Promise.resolve(false);
    },
  };
}

/** The conversation of an agent that has none yet. */
async function begin({ role, params, agent }: StepWork): Promise<readonly Message[]> {
  const message = renderTemplate(role.message_template, params);
  const messages: readonly Message[] = [
    { role: "system", text: role.system_prompt },
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

/** Starts the workers that the first calls will need beside the model's first answer; without a token, none. */
function prewarm({ run, agent }: StepWork): void {
  const held = run.shared.ledger.heldBy(agent.id).map(({ token }) => token.capability.kind);
  const files = held.includes("file_read") || held.includes("file_write");
  const web = held.includes("network") || held.includes("web_search");
  void agent.ports.prewarm({ files, web });
}

/** The tools whose use some token of the agent allows; a model is not shown what it would be denied. */
function callableTools({ run, agent }: StepWork, deps: ToolCallDeps) {
  const held = run.shared.ledger.heldBy(agent.id);
  return run.deps.tools.filter(
    (tool) => decideTool(tool.name, tool.implied_by, held, deps.now()).ok,
  );
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
