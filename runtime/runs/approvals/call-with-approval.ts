import canonicalize from "canonicalize";
import { clipBytes } from "../../base/text.js";
import { withinCeiling } from "../../policy/ceiling.js";
import { decideTool } from "../../policy/decide.js";
import { parseGrant } from "../../policy/grammar.js";
import { coversCapability } from "../../policy/narrow.js";
import type { Grant } from "../../protocol/capability.js";
import type { ToolCallRequest } from "../../protocol/message.js";
import type { Token } from "../../protocol/token.js";
import { type ToolResult, toolDenied } from "../../protocol/tool-call.js";
import { type Called, callTool, type ToolCallDeps } from "../call-tool.js";
import type { LiveAgent } from "../run-context.js";
import { grantedEvents, revokedEvents } from "../token-events.js";
import type { ApprovalRules } from "./approval-rules.js";
import type { Answer, Question } from "./approvals.js";

/** A call may need more than one capability; after so many it is answered as it stands. */
const MAX_OFFERS = 8;
const INPUT_BYTES = 4_096;

export interface ApprovedCaller {
  readonly agent: LiveAgent;
  readonly rules: ApprovalRules;
}

/**
 * A call with the operator in the loop. A tool that needs approval waits for it before the call is so much as intended; a call that
 * was denied for want of a capability may be offered, and is made again under exactly what was granted, by a worker launched
 * for it. Throws `LetGo` while it waits, as `callTool` does.
 */
export async function callWithApproval(
  caller: ApprovedCaller,
  request: ToolCallRequest,
  deps: ToolCallDeps,
  signal: AbortSignal,
  call = callTool,
): Promise<Called> {
  const { agent } = caller;
  const wait = AbortSignal.any([signal, agent.home.rest]);
  const refusal = await askFirst(caller, request, deps, wait);
  if (refusal !== undefined) return { result: refused(refusal), tell: agent.record };
  const once: Token[] = [];
  try {
    for (let offers = 0; ; offers++) {
      const called = await (offers === 0 ? call : callTool)(agent, request, deps, signal);
      const wanted = offers < MAX_OFFERS ? wantedGrant(called.result, agent) : undefined;
      if (wanted === undefined) return called;
      const answer = await offer(caller, request, called, wanted, wait);
      if (answer === undefined) return called;
      if (!answer.granted)
        return { result: stillDenied(called.result, answer.reason), tell: agent.record };
      once.push(...(await give(caller, wanted, answer)));
    }
  } finally {
    await takeBack(caller, once);
  }
}

/** Why the call may not be made; undefined where it may. One that would fail anyway is not asked about. */
async function askFirst(
  { agent, rules }: ApprovedCaller,
  request: ToolCallRequest,
  deps: ToolCallDeps,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (!rules.required.has(request.name) || request.malformed !== undefined) return undefined;
  const tool = deps.tools().find(({ name }) => name === request.name);
  if (tool === undefined || !tool.input.safeParse(request.input).success) return undefined;
  const held = deps.ledger.heldBy(agent.id);
  if (!decideTool(tool.name, tool.implied_by, held, deps.now()).ok) return undefined;
  const isGiven = answersFor(agent).some(
    (row) =>
      row.subject === "tool" &&
      row.tool === request.name &&
      row.state === "granted" &&
      row.scope === "run",
  );
  if (isGiven) return undefined;
  const description = `${agent.name} wants to call ${request.name}, which needs approval`;
  const question = { ...questionOf(request), subject: "tool" as const, description };
  const answer = await agent.home.shared.approvals.ask(askerOf(agent), question, signal);
  return answer.granted ? undefined : answer.reason;
}

/** The answer to a denied call; undefined where nobody is to be asked. What came of the call is in the journal before the wait. */
async function offer(
  { agent, rules }: ApprovedCaller,
  request: ToolCallRequest,
  { result, tell }: Called,
  wanted: Wanted,
  signal: AbortSignal,
): Promise<Pick<Answer & { granted: true }, "granted" | "scope"> | Answer | undefined> {
  if (isGivenBefore(agent, wanted.grant)) return { granted: true, scope: "run" };
  const { run, shared } = agent.home;
  const { attendance, approvals } = shared;
  const isOffered =
    rules.offerDenials === "always" ||
    (rules.offerDenials === "attended" && run !== undefined && attendance.isAttended(run.id));
  if (!isOffered) return undefined;
  await tell();
  const why = result.ok ? "" : result.error.message;
  const question: Question = {
    ...questionOf(request),
    subject: "capability",
    description: `${agent.name} called ${request.name} and was denied: ${why}`,
    capability: wanted.text,
  };
  return approvals.ask(askerOf(agent), question, signal);
}

interface Wanted {
  readonly text: string;
  readonly grant: Grant;
}

/** The exact capability for want of which the call was denied, where policy.yaml would let an operator grant it. */
function wantedGrant(result: ToolResult, agent: LiveAgent): Wanted | undefined {
  if (result.ok || result.error.kind !== "denied" || result.error.layer !== "token")
    return undefined;
  const { capability: text } = result.error;
  const parsed = text === undefined ? undefined : parseGrant(text);
  if (text === undefined || parsed?.ok !== true) return undefined;
  return "grant" in withinCeiling(parsed.grant, agent.ceiling)
    ? { text, grant: parsed.grant }
    : undefined;
}

/** What operators were asked of the agent's run; of an agent that belongs to none, of itself. */
function answersFor({ id, home }: LiveAgent) {
  const { run, deps } = home;
  return deps.reader.approvals(run === undefined ? { agent_id: id } : { run_id: run.id });
}

function isGivenBefore(agent: LiveAgent, { capability }: Grant): boolean {
  return answersFor(agent).some((row) => {
    if (row.state !== "granted" || row.scope !== "run" || row.subject !== "capability")
      return false;
    const given = row.capability === null ? undefined : parseGrant(row.capability);
    return given?.ok === true && coversCapability(given.grant.capability, capability);
  });
}

/** A token of exactly what was granted; the ones to take back after this call are returned. */
async function give(
  { agent }: ApprovedCaller,
  { grant }: Wanted,
  { scope }: { readonly scope: "once" | "run" },
): Promise<readonly Token[]> {
  const constraints = scope === "once" ? { max_invocations: 1 } : {};
  const tokens = agent.home.shared.ledger.issue(agent.id, [{ ...grant, constraints }]);
  await agent.record(...grantedEvents(tokens));
  return scope === "once" ? tokens : [];
}

async function takeBack({ agent }: ApprovedCaller, once: readonly Token[]): Promise<void> {
  const revoked = agent.home.shared.ledger.revoke(once.map(({ id }) => id));
  if (revoked.length === 0) return;
  await agent.record(...revokedEvents(revoked, "it was granted for one call"));
}

function questionOf(request: ToolCallRequest): Pick<Question, "tool" | "call_id" | "input"> {
  const input = clipBytes(canonicalize(request.input) ?? "null", INPUT_BYTES);
  return { tool: request.name, call_id: request.id, input };
}

function askerOf({ id, record }: LiveAgent) {
  return { agent_id: id, record };
}

/** The operator's no, for the model: asking again would be answered alike. */
function refused(reason: string): ToolResult {
  return toolDenied({
    layer: "policy",
    message: `the operator did not approve this call: ${reason}`,
  });
}

function stillDenied(result: ToolResult, reason: string): ToolResult {
  if (result.ok) return result;
  const message = `${result.error.message}; the operator did not grant it: ${reason}`;
  return { ...result, error: { ...result.error, message } };
}
