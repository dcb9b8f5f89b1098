import { errorText } from "../base/error-text.js";
import { suggest } from "../base/suggest.js";
import { clipBytes } from "../base/text.js";
import { JsonObject } from "../protocol/json.js";
import type { ToolCallRequest } from "../protocol/message.js";
import type { ToolErrorKind } from "../protocol/tool-call.js";
import type { AgentInput, CallResult } from "./agent-input.js";
import { type AgentProgress, append } from "./agent-progress.js";
import { isLetGo, throwIfLetGo } from "./let-go.js";
import type { Repeat, RepeatGuard } from "./repeat-guard.js";

/** Calls that change nothing run at the same time, at most this many. */
const MAX_PARALLEL = 8;

/** What came of a reply's calls; `hopeless` names the call that the model makes again and again. */
interface Answered {
  readonly hopeless?: string;
}

/**
 * Gives every call exactly one result, in order: the tool's own, or an error for a call that is malformed, unknown, repeated
 * without hope, or that an abort forestalled. Results are appended as they are known, so that a crash loses as few as can be.
 */
export async function answerCalls(
  calls: readonly ToolCallRequest[],
  input: AgentInput,
  progress: AgentProgress,
  signal: AbortSignal,
): Promise<Answered> {
  const { guard } = progress;
  let hopeless: string | undefined;
  for (const group of inGroups(calls, input.read_only_tools)) {
    const counted: { call: ToolCallRequest; repeat: Repeat }[] = [];
    for (const call of group) counted.push({ call, repeat: await countRepeat(call, input, guard) });
    hopeless ??= counted.find(({ repeat }) => repeat.hopeless)?.call.name;
    const stop = hopeless;
    const results = counted.map(async ({ call, repeat }) => {
      const result = stop === undefined ? await answer(call, input, signal) : givenUp(stop);
      return { call, result: withRepeatHint(result, repeat) };
    });
    for (const settled of await Promise.allSettled(results)) {
      if (settled.status === "rejected") throw settled.reason;
      const { call, result } = settled.value;
      const { text, is_error, tell } = result;
      if (!is_error && input.read_only_tools?.has(call.name) !== true) guard.changed(call);
      const message = { role: "tool", call_id: call.id, tool: call.name, text, is_error } as const;
      await append(input, progress, message, { tell });
    }
  }
  return hopeless === undefined ? {} : { hopeless };
}

/** Neighbours that change nothing together, every other call alone. */
function inGroups(
  calls: readonly ToolCallRequest[],
  readOnly: ReadonlySet<string> = new Set(),
): readonly (readonly ToolCallRequest[])[] {
  const groups: ToolCallRequest[][] = [];
  for (const call of calls) {
    const group = groups.at(-1);
    const joins = readOnly.has(call.name) && readOnly.has(group?.[0]?.name ?? "");
    if (group && joins && group.length < MAX_PARALLEL) group.push(call);
    else groups.push([call]);
  }
  return groups;
}

async function countRepeat(
  call: ToolCallRequest,
  input: AgentInput,
  guard: RepeatGuard,
): Promise<Repeat> {
  const repeat = guard.count(call);
  if (repeat.fired) {
    const { input_hash, attempt_count } = repeat;
    await input.emit({ kind: "tool_repeat", tool: call.name, input_hash, attempt_count });
    await input.emit({ kind: "tool_repeat_guard_fired", tool: call.name, attempt_count });
  }
  return repeat;
}

async function answer(
  call: ToolCallRequest,
  input: AgentInput,
  signal: AbortSignal,
): Promise<CallResult> {
  throwIfLetGo(signal);
  if (signal.aborted) return failed("failed", "not carried out: the agent was stopped first");
  if (!input.tools.some((tool) => tool.name === call.name)) return unknownTool(call, input);
  if (call.malformed !== undefined) {
    const raw = clipBytes(call.malformed, 200);
    return failed("invalid_input", `the arguments are no JSON object: ${raw}`);
  }
  try {
    return await input.callTool(call, signal);
  } catch (thrown) {
    // Whatever was torn by the abort is an outcome; anything else broke an invariant and ends the agent.
    throwIfLetGo(signal);
    if (isLetGo(thrown) || !isAborted(signal)) throw thrown;
    return failed(
      "failed",
      `stopped while under way; the outcome is unknown (${errorText(thrown)})`,
    );
  }
}

function unknownTool(call: ToolCallRequest, input: AgentInput): CallResult {
  const names = input.tools.map((tool) => tool.name);
  const near = suggest(call.name, names);
  const hint = near === undefined ? `there are: ${names.join(", ")}` : `did you mean ${near}?`;
  return failed("not_found", `there is no tool ${clipBytes(call.name, 100)}; ${hint}`);
}

function givenUp(tool: string): CallResult {
  return failed("failed", `not carried out: the same call of ${tool} was made too often`);
}

/** An error as the model gets it. */
function failed(kind: ToolErrorKind, message: string): CallResult {
  return { text: JSON.stringify({ error: { kind, message } }), is_error: true };
}

/** The result with `_repeat_guard` beside its own fields, success and error alike. */
function withRepeatHint(result: CallResult, repeat: Repeat): CallResult {
  if (!repeat.fired) return result;
  const { attempt_count } = repeat;
  const hint =
    `This is call ${attempt_count} with exactly this input. Unless something has changed since, its result stays the same: ` +
    "use what you have, change the input, or try another way.";
  const parsed = JsonObject.safeParse(parseJson(result.text));
  const body = parsed.success ? parsed.data : { result: result.text };
  return { ...result, text: JSON.stringify({ ...body, _repeat_guard: { attempt_count, hint } }) };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** Asked anew after an await: the type checker believes that nothing changes in between. */
function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}
