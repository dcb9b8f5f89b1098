import { z } from "zod";
import type { Granted } from "../../protocol/access.js";
import type { AgentReport, AgentSpec } from "../../protocol/agents-port.js";
import type { JsonObject } from "../../protocol/json.js";
import { type ToolResult, toolDenied, toolOutput } from "../../protocol/tool-call.js";
import { defineTool } from "../define-tool.js";
import { fromPort } from "../from-port.js";
import { PriorFindings, withFindings } from "../prior-findings.js";
import type { ToolContext } from "../tool.js";

/** One child as a model asks for it. */
export const Child = z.strictObject({
  manifest: z
    .string()
    .min(1)
    .max(65_536)
    .describe("the name of a manifest or role, or a manifest's YAML whole"),
  message: z.string().min(1).max(65_536).describe("what the child is to do, all it has to know"),
  prior_findings: PriorFindings.optional().describe("what was found before; given as data"),
});
type Child = z.infer<typeof Child>;

/** Gives a part of the work to a child and waits for its answer. */
export const spawnAgent = defineTool({
  name: "spawn_agent",
  description:
    "Starts an agent for one piece of work, waits for its end and returns its answer. The child knows only the message and the " +
    "findings you give it, holds only what is cut from your own grants, and is gone afterwards. A child that fails is tried once more.",
  input: Child,
  read_only: false,
  implied_by: ["spawn_child"],
  run: async (child, context) => {
    const allowed = await allow(child, context);
    return allowed.ok ? carryOut(child, allowed, context) : allowed.result;
  },
});

export type Allowed =
  | {
      readonly ok: true;
      readonly granted: Granted<"spawn_child">;
      readonly manifest: AgentSpec;
    }
  | { readonly ok: false; readonly result: ToolResult };

/** Whether the agent may have such a child; nothing is started. */
export async function allow(child: Child, { agents, grant }: ToolContext): Promise<Allowed> {
  const resolved = agents.resolve(child.manifest);
  if (!resolved.ok) return { ok: false, result: fromPort(resolved) };
  const asked = await grant({ kind: "spawn_child", role: resolved.value.name });
  if (!asked.ok) return { ok: false, result: toolDenied(asked.denial) };
  return { ok: true, granted: asked.granted, manifest: resolved.value };
}

/** Runs the child, once more where it came to nothing, and reports. */
export async function carryOut(
  { message, prior_findings }: Child,
  { granted, manifest }: Extract<Allowed, { ok: true }>,
  { agents, signal }: ToolContext,
): Promise<ToolResult> {
  const text = withFindings(message, prior_findings);
  const first = await agents.runChild(granted, manifest, text, signal);
  if (!first.ok) return fromPort(first);
  if (!isWorthAnother(first.value) || signal.aborted)
    return toolOutput({ ...report(first.value), retried: false });
  const second = await agents.runChild(granted, manifest, text, signal);
  if (!second.ok) return fromPort(second);
  const original_error = first.value.message ?? first.value.stop_reason;
  return toolOutput({ ...report(second.value), retried: true, original_error });
}

/** A budget that is spent and an order to stop stay what they are. */
function isWorthAnother({ stop_reason }: AgentReport): boolean {
  return !["complete", "cancelled", "budget_exceeded", "max_tokens"].includes(stop_reason);
}

function report({ usage, message, ...rest }: AgentReport): JsonObject {
  return { ...rest, usage: { ...usage }, ...(message === undefined ? {} : { message }) };
}
