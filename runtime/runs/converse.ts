import type { AgentInput, AgentLimits, AgentOutcome } from "../agent/agent-input.js";
import type { AgentContext } from "../agent/context.js";
import { runAgent } from "../agent/loop.js";
import { openCalls } from "../agent/transcript.js";
import type { Message, ToolCallRequest } from "../protocol/message.js";
import type { ModelTask } from "../protocol/model.js";
import type { ResolvedModel } from "../providers/models.js";
import { skillRead } from "../tools/builtin/skill-read.js";
import { presentResult } from "../tools/present.js";
import { toolSpec } from "../tools/registry.js";
import type { AgentHistory } from "./agent-history.js";
import { callWithApproval } from "./approvals/call-with-approval.js";
import { callTool, mayCall, type ToolCallDeps, toolCallDeps } from "./call-tool.js";
import type { Caller } from "./calls/model-calls.js";
import { resumeCall } from "./resume-call.js";
import type { LiveAgent } from "./run-context.js";

/** The part of a window that may be filled before the oldest of it is summarised. */
const USUAL_THRESHOLD = 0.7;
const SUMMARY_TOKENS = 2_048;

/** An agent about to go on with its conversation, new or found in the journal. */
export interface Conversation {
  readonly agent: LiveAgent;
  /** What was said so far, in the journal already. */
  readonly messages: readonly Message[];
  readonly history: AgentHistory;
  readonly model: ResolvedModel;
  readonly caller: Caller;
  readonly limits: Omit<AgentLimits, "max_total_tokens" | "repeat_threshold">;
  readonly task?: ModelTask;
  readonly memory?: {
    readonly window_tokens?: number | undefined;
    readonly threshold?: number | undefined;
    readonly max_messages?: number | undefined;
    readonly summarizer?: string | undefined;
  };
  /** What the agent has used before that counts against its ceiling. */
  readonly spent?: AgentHistory["usage"];
  readonly outputsExist?: AgentInput["outputsExist"];
}

/**
 * The one way in which any agent works: the tools that its tokens let it call, its conversation kept within its model's window, and
 * the loop. What came of it is in the journal when this returns. Throws `LetGo` where it is to be taken up again.
 */
export async function converse(talk: Conversation, signal: AbortSignal): Promise<AgentOutcome> {
  const { agent, messages, history, model, caller, task, spent } = talk;
  const { deps, shared } = agent.home;
  const { settings } = deps;
  const callDeps = toolCallDeps(agent.home);
  agent.skills.restore(messages);
  const tools = callableTools(agent, callDeps);
  const openAtFirst = new Set(openCalls(messages));
  prewarm(agent);
  const outcome = await runAgent(
    {
      messages,
      last_end: history.last_end,
      ...(spent === undefined ? {} : { spent }),
      tools: tools.map(toolSpec),
      read_only_tools: new Set(tools.filter((tool) => tool.read_only).map((tool) => tool.name)),
      model: model.model,
      provider: model.provider,
      ...(task === undefined ? {} : { task }),
      limits: {
        ...talk.limits,
        max_total_tokens: settings.agent.max_total_tokens,
        repeat_threshold: settings.agent.tool_repeat_threshold,
      },
      context: contextOf(talk),
      stream: shared.modelCalls.metered(model, caller),
      callTool: async (request: ToolCallRequest, stop: AbortSignal) => {
        const how: typeof callTool = openAtFirst.delete(request)
          ? (...call) => resumeCall(...call, history)
          : callTool;
        const { result, tell } = await callWithApproval(
          { agent, rules: agent.home.rules },
          request,
          callDeps,
          stop,
          how,
        );
        return {
          ...presentResult(result, settings.agent.max_tool_result_bytes),
          tell: async (event) => void (await tell(event)),
        };
      },
      emit: async (event) => {
        await agent.record(event);
      },
      outputsExist: talk.outputsExist ?? (() => Promise.resolve(true)),
    },
    signal,
  );
  await agent.record({
    kind: "agent_execution_completed",
    stop_reason: outcome.stop_reason,
    total_iterations: outcome.iterations,
    ...(outcome.message === undefined ? {} : { message: outcome.message }),
  });
  return outcome;
}

/** The reply takes its part of the window, but never more than half of it. */
function contextOf({ agent, model, caller, memory = {}, history }: Conversation): AgentContext {
  const { deps, shared } = agent.home;
  const summarizer = deps.models.resolve(memory.summarizer ?? "summarizer");
  const { context_tokens, max_output_tokens } = model;
  const window = Math.min(memory.window_tokens ?? context_tokens, context_tokens);
  return {
    window_tokens: Math.max(window - max_output_tokens, Math.floor(window / 2)),
    threshold: memory.threshold ?? USUAL_THRESHOLD,
    ...(memory.max_messages === undefined ? {} : { max_messages: memory.max_messages }),
    summary: history.summary,
    summarizer: {
      model: summarizer.model,
      window_tokens: summarizer.context_tokens,
      max_output_tokens: Math.min(SUMMARY_TOKENS, summarizer.max_output_tokens),
      stream: shared.modelCalls.metered(summarizer, caller),
    },
  };
}

/** Starts the workers that the first calls will need beside the model's first answer; without a token, none. */
function prewarm({ id, home, ports }: LiveAgent): void {
  const held = home.shared.ledger.heldBy(id).map(({ token }) => token.capability.kind);
  const files = held.includes("file_read") || held.includes("file_write");
  const web = held.includes("network") || held.includes("web_search");
  void ports.prewarm({ files, web });
}

/** The tools whose use some token of the agent allows; a model is not shown what it would be denied. */
function callableTools({ id, home, skills }: LiveAgent, { now }: ToolCallDeps) {
  const held = home.shared.ledger.heldBy(id);
  return home.deps
    .tools()
    .filter((tool) => tool !== skillRead || skills.catalog !== "")
    .filter((tool) => mayCall(tool, held, now()).ok);
}
