import { createHash } from "node:crypto";
import canonicalize from "canonicalize";
import type { z } from "zod";
import { isLetGo, throwIfLetGo } from "../agent/let-go.js";
import { errorText } from "../base/error-text.js";
import { suggest } from "../base/suggest.js";
import { clipBytes } from "../base/text.js";
import type { Memory } from "../memory/memory.js";
import { decideTool, type HeldToken } from "../policy/decide.js";
import type { Denial } from "../protocol/access.js";
import type { AgentsPort } from "../protocol/agents-port.js";
import type { EventBody } from "../protocol/event.js";
import type { TokenId } from "../protocol/ids.js";
import type { ToolCallRequest } from "../protocol/message.js";
import type { Ports } from "../protocol/ports.js";
import { type ToolResult, toolDenied, toolFailure } from "../protocol/tool-call.js";
import type { Tool, ToolContext } from "../tools/tool.js";
import { chargeTokens, grantFor } from "./grant.js";
import type { AgentHome, LiveAgent } from "./run-context.js";
import type { TokenLedger } from "./token-ledger.js";

const PREVIEW_BYTES = 200;

/** What a call came to. */
export interface Called {
  readonly result: ToolResult;
  /**
   * Writes `more` and, in the same append, the call's outcome where it is not in the journal yet: of a call that changed something
   * there is either no outcome at all, or all that follows from it.
   */
  readonly tell: (...more: readonly EventBody[]) => Promise<unknown>;
}

export interface ToolCallDeps {
  readonly tools: () => readonly Tool[];
  readonly ledger: TokenLedger;
  readonly now: () => number;
  readonly web: ToolContext["web"];
  readonly rest: AbortSignal;
  readonly underWay: Set<Promise<unknown>>;
  readonly agentsFor: (agent: LiveAgent) => AgentsPort;
  readonly memory: Pick<Memory, "portFor">;
}

/** What every tool call is given. */
export function toolCallDeps({
  deps,
  shared,
  rest,
}: Pick<AgentHome, "deps" | "shared" | "rest">): ToolCallDeps {
  const { timeout_s, max_redirects } = deps.settings.web;
  return {
    tools: deps.tools,
    ledger: shared.ledger,
    now: deps.entropy.now,
    web: { timeout_ms: timeout_s * 1_000, max_redirects },
    rest,
    underWay: shared.toolCalls,
    agentsFor: shared.agentsFor,
    memory: deps.memory,
  };
}

/**
 * The one way from a model's wish to an effect: the tool exists → its input is valid → the agent may call it → the intent is in
 * the journal → every access is resolved, checked and charged → the port acts → the outcome is in the journal. Whatever goes
 * wrong is a result for the model; only a journal that cannot be written throws, and `LetGo` where the call is to be made later.
 */
export async function callTool(
  agent: LiveAgent,
  request: ToolCallRequest,
  deps: ToolCallDeps,
  signal: AbortSignal,
): Promise<Called> {
  throwIfLetGo(deps.rest);
  const call = carryOut(agent, request, deps, signal);
  const settled = call.catch(() => undefined);
  deps.underWay.add(settled);
  try {
    return await call;
  } finally {
    deps.underWay.delete(settled);
  }
}

async function carryOut(
  agent: LiveAgent,
  request: ToolCallRequest,
  deps: ToolCallDeps,
  signal: AbortSignal,
): Promise<Called> {
  const startedAt = deps.now();
  const tool = deps.tools().find((candidate) => candidate.name === request.name);
  const text = canonicalize(request.input) ?? "null";
  const [invoked] = await agent.record({
    kind: "tool_invoked",
    tool: request.name,
    call_id: request.id,
    input_hash: createHash("sha256").update(text).digest("hex"),
    args_preview: clipBytes(text, PREVIEW_BYTES),
    read_only: tool?.read_only ?? true,
  });
  const record = agent.record.under(invoked);
  const { ports, confinement } = agent.ports.forCall();
  const result = await outcome({ ...agent, record }, ports, tool, request, deps, signal);
  // Cut in the middle: what it came to is not known, and the journal must not say that it is.
  throwIfLetGo(signal);
  if (!result.ok && result.error.code === "disk_full")
    agent.trouble.diskFull = result.error.message;
  const layers = [...confinement(), ...(tool?.confinement?.() ?? [])];
  const told = toldOf(request, result, layers, deps.now() - startedAt);
  if (tool?.read_only === false) {
    return { result, tell: (...more) => record(...told, ...more) };
  }
  await record(...told);
  return { result, tell: record };
}

/** What the journal is told of a call's outcome. */
export function toldOf(
  request: ToolCallRequest,
  result: ToolResult,
  layers: readonly string[],
  tookMs: number,
): readonly EventBody[] {
  const shown = result.ok ? result.output : { error: { ...result.error } };
  const call = { tool: request.name, call_id: request.id };
  return [
    ...result.denials.map((denial) => ({
      kind: "capability_denied" as const,
      capability: denial.capability ?? "none",
      reason: denial.message,
      layer: denial.layer,
      ...call,
    })),
    {
      kind: "tool_result",
      ...call,
      success: result.ok,
      result_preview: clipBytes(JSON.stringify(shown), PREVIEW_BYTES),
      ...(result.ok ? {} : { error_kind: result.error.kind }),
      denials: result.denials.map((denial) => ({ ...denial })),
      duration_ms: Math.max(0, Math.round(tookMs)),
      execution_surface: layers.length > 0 ? "worker" : "daemon",
      confinement: [...layers],
    },
  ];
}

async function outcome(
  agent: LiveAgent,
  ports: Ports,
  tool: Tool | undefined,
  request: ToolCallRequest,
  deps: ToolCallDeps,
  signal: AbortSignal,
): Promise<ToolResult> {
  if (tool === undefined) return unknownTool(request.name, deps.tools());
  if (request.malformed !== undefined) {
    return toolFailure(
      "invalid_input",
      `the arguments are no JSON: ${clipBytes(request.malformed, PREVIEW_BYTES)}`,
    );
  }
  const verdict = mayCall(tool, deps.ledger.heldBy(agent.id), deps.now());
  if (!verdict.ok) return toolDenied(verdict.denial);
  const unfit = agent.skills.refuses(tool.name, request.input);
  if (unfit !== undefined) return toolDenied(unfit);
  const input = tool.input.safeParse(request.input);
  if (!input.success) return toolFailure("invalid_input", issuesText(input.error));
  await chargeTokens(agent, deps.ledger, verdict.charge);
  try {
    return await tool.run(input.data, {
      ports,
      agents: deps.agentsFor(agent),
      grant: grantFor(agent, deps),
      memory: deps.memory.portFor(agent.memory, agent.record),
      skills: agent.skills,
      workspace: agent.workspace,
      web: deps.web,
      signal,
    });
  } catch (thrown) {
    if (isLetGo(thrown)) throw thrown;
    if (signal.aborted) return toolFailure("failed", `stopped: ${errorText(signal.reason)}`);
    return toolFailure("failed", `${tool.name} failed: ${errorText(thrown)}`);
  }
}

/** An open tool needs no token, and charges none; any other is judged by those that the agent holds. */
export function mayCall(
  { name, implied_by, open }: Tool,
  held: readonly HeldToken[],
  now: number,
):
  | { readonly ok: true; readonly charge: readonly TokenId[] }
  | { readonly ok: false; readonly denial: Denial } {
  return open === true ? { ok: true, charge: [] } : decideTool(name, implied_by, held, now);
}

function unknownTool(name: string, tools: readonly Tool[]): ToolResult {
  const names = tools.map((tool) => tool.name);
  const near = suggest(name, names);
  const hint = near === undefined ? `the tools are: ${names.join(", ")}` : `did you mean ${near}?`;
  return toolFailure("not_found", `there is no tool "${name}"; ${hint}`);
}

function issuesText(error: z.ZodError): string {
  return error.issues
    .map((issue) =>
      issue.path.length === 0 ? issue.message : `${issue.path.join(".")}: ${issue.message}`,
    )
    .join("; ");
}
