import type { ToolCallRequest } from "../protocol/message.js";
import { toolFailure } from "../protocol/tool-call.js";
import type { AgentHistory } from "./agent-history.js";
import { type Called, callTool, type ToolCallDeps, toldOf } from "./call-tool.js";
import type { LiveAgent } from "./run-context.js";

const UNKNOWN =
  "the daemon ended while this call was under way, so that its outcome is unknown: it may have been carried out, in part or not at " +
  "all. Check before you repeat it.";

/**
 * A call of the turn in which an earlier daemon ended. One that was never begun is made now, and one that changes nothing is made
 * again. Any other was intended, and nobody knows what came of it: it is never repeated in silence, the model is told so.
 */
export async function resumeCall(
  agent: LiveAgent,
  request: ToolCallRequest,
  deps: ToolCallDeps,
  signal: AbortSignal,
  history: AgentHistory,
): Promise<Called> {
  const intent = history.invoked.get(request.id);
  // A refusal that is told before the model is waits for an operator: nothing was done.
  const isOffered = intent?.success === false;
  if (intent === undefined || intent.read_only || isOffered || intent.tool !== request.name)
    return callTool(agent, request, deps, signal);
  const result = toolFailure("failed", UNKNOWN);
  const record = agent.record.under(intent);
  return { result, tell: (...more) => record(...toldOf(request, result, [], 0), ...more) };
}
