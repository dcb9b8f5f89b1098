import { knownEvent, type WireEvent } from "../protocol/control.js";
import type { EventBody, EventBodyOf, EventKind } from "../protocol/event.js";
import type { Usage } from "../protocol/model.js";
import { clipColumns } from "./display-width.js";
import { formatUsage, plural } from "./format.js";
import { formatWhen } from "./format-when.js";
import { jsonLine, plainLine } from "./plain-text.js";
import type { Style } from "./style.js";

/** One event in a few words, and how it is to be seen. `step` is empty where it belongs to none. */
export interface EventLine {
  readonly step: string;
  readonly text: string;
  readonly tone: keyof Style | "none";
}

type Described = readonly [text: string, tone?: EventLine["tone"]] | undefined;
type Descriptions = { readonly [K in EventKind]?: (event: EventBodyOf<K>) => Described };

/** Columns of a tool call: what it works on stands at its beginning. */
const MAX_CALL = 110;

/** What an operator wants to know without asking; a kind that is not here is shown with `-v` and in the audit trail alone. */
const OPERATOR: Descriptions = {
  operator_call: ({ allowed, method, uid }) =>
    allowed ? undefined : [`refused to uid ${uid ?? "unknown"}: ${method}`, "warn"],
  slot_confirmed: ({ slot, version }) => [`slot ${slot} works: version ${version} is kept`],
  slot_fallback: ({ from, to, version, reason }) => [
    `slot ${from} (version ${version}) was left for ${to}: ${reason}`,
    "warn",
  ],
  backup_restored: ({ hostname, made_at }) => [
    `this machine was made what ${hostname} was at ${made_at}`,
    "warn",
  ],
  run_submitted: ({ goal }) => [`goal: ${goal}`, "bold"],
  orchestration_selected: ({ mode, reason }) => [
    `${mode === "direct" ? "one agent, no plan" : "planning"}${reason === undefined ? "" : `: ${reason}`}`,
    "dim",
  ],
  plan_produced: ({ plan, replans_used }) => [
    `${replans_used > 0 ? "new plan" : "plan"}: ${plural(plan.steps.length, "step")} for ${plan.final_output}`,
  ],
  plan_rejected: ({ problems }) => [`plan rejected: ${problems.join("; ")}`, "warn"],
  plan_replanned: ({ reason, kept }) => [
    `planning again: ${reason}${kept.length === 0 ? "" : ` (kept: ${kept.join(", ")})`}`,
    "warn",
  ],
  run_state_changed: ({ to, reason }) => describeState(to, reason),
  run_recovered: ({ steps_under_way }) => [
    `taken up again by a new daemon${steps_under_way.length === 0 ? "" : `: ${steps_under_way.join(", ")}`}`,
    "warn",
  ],
  subtask_started: ({ role, model, attempt }) => [
    `started: ${role}${model === undefined ? "" : ` on ${model}`}${attempt > 1 ? `, attempt ${attempt}` : ""}`,
  ],
  subtask_completed: ({ success, outputs, usage, error, reason }) =>
    success
      ? [`done${outputs.length === 0 ? "" : `: ${outputs.join(", ")}`}${cost(usage)}`, "good"]
      : [`failed: ${reason ?? error ?? "no reason given"}`, "bad"],
  step_state_changed: ({ to, reason }) =>
    to === "skipped" || to === "cancelled"
      ? [`${to}${reason === undefined ? "" : `: ${reason}`}`, "warn"]
      : undefined,
  subtask_ttl_expired: ({ reason }) => [`out of time: ${reason}`, "warn"],
  subtask_model_escalated: ({ from_model, to_model, reason }) => [
    `goes on with ${to_model} instead of ${from_model} (${reason})`,
    "warn",
  ],
  subtask_output_missing: ({ declared_path }) => [`wrote no ${declared_path}`, "bad"],
  agent_execution_completed: ({ stop_reason, message }) =>
    stop_reason === "complete"
      ? undefined
      : [`agent ended: ${stop_reason}${message === undefined ? "" : `: ${message}`}`, "bad"],
  agent_loop_stopped: ({ reason }) => [`agent's loop ended: ${reason}`, "dim"],
  model_call_retried: ({ model, attempt, reason }) => [
    `${model} did not answer, attempt ${attempt}: ${reason}`,
    "warn",
  ],
  model_call_failed: ({ model, failure, message }) => [`${model}: ${failure}: ${message}`, "bad"],
  context_summarized: ({ messages_summarized }) => [
    `summarised ${plural(messages_summarized, "message")}`,
    "dim",
  ],
  session_store_error: ({ operation, message }) => [
    `cannot ${operation} session: ${message}`,
    "bad",
  ],
  tool_invoked: ({ tool, args_preview }) => [
    clipColumns(plainLine(`${tool} ${args_preview}`), MAX_CALL),
    "accent",
  ],
  tool_result: ({ success, tool, error_kind, result_preview }) =>
    success ? undefined : [`${tool} failed: ${error_kind ?? "failed"}: ${result_preview}`, "bad"],
  tool_repeat_guard_fired: ({ tool, attempt_count }) => [
    `repeats ${tool}, ${attempt_count} times the same`,
    "warn",
  ],
  capability_denied: ({ layer, capability, reason }) => [
    `denied by ${layer}: ${capability}: ${reason}`,
    "bad",
  ],
  capability_withheld: ({ capability, reason }) => [`withheld ${capability}: ${reason}`, "warn"],
  human_approval_requested: ({ description, approval_id }) => [
    `waits for approval ${approval_id}: ${description}`,
    "warn",
  ],
  budget_raised: ({ scope, unit, by }) => [
    `the ${scope} may spend ${by === null ? "" : `${by} `}${unit} ${by === null ? "without a ceiling" : "more"}`,
    "good",
  ],
  human_approval_granted: ({ scope }) => [`approved for ${scope}`, "good"],
  schedule_added: ({ when, next_at }) => [`${formatWhen(when)}; next at ${next_at}`],
  schedule_fired: ({ due_at, missed }) => [
    `due at ${due_at}${missed === 0 ? "" : `; missed before: ${missed}`}`,
  ],
  schedule_skipped: ({ due_at, reason }) => [`due at ${due_at}, not started: ${reason}`, "warn"],
  human_approval_denied: ({ reason }) => [`approval denied: ${reason}`, "bad"],
};

/** What a step took of a model; nothing for one that used none. */
function cost(usage: Usage): string {
  return usage.input_tokens + usage.output_tokens === 0 ? "" : ` (${formatUsage(usage)})`;
}

function describeState(to: EventBodyOf<"run_state_changed">["to"], reason?: string): Described {
  if (to === "planning" || to === "running" || to === "succeeded" || to === "queued") {
    return undefined;
  }
  const why = reason === undefined ? "" : `: ${reason}`;
  const isBad = to === "failed" || to === "cancelled";
  return [`run ${to.replace("_", " ")}${why}`, isBad ? "bad" : "warn"];
}

/** The event as an operator sees it by default; undefined where it says nothing to one. Without control characters. */
export function describeEvent(event: WireEvent): EventLine | undefined {
  const body = knownEvent(event);
  if (body === undefined) return undefined;
  const described = descriptionOf(body, OPERATOR)?.(body);
  if (described === undefined) return undefined;
  const [text, tone = "none"] = described;
  return { step: stepOf(event), text: plainLine(text), tone };
}

/** What the audit trail alone says in words; of everything else it shows the fields. */
const JOURNAL: Descriptions = {
  run_state_changed: ({ from, to, reason }) => [arrow(from, to, reason), "dim"],
  step_state_changed: ({ from, to, reason }) => [arrow(from, to, reason), "dim"],
  usage_reported: ({ model, ...usage }) => [`${model}: ${formatUsage(usage)}`, "dim"],
};

function arrow(from: string, to: string, reason: string | undefined): string {
  return `${from} → ${to}${reason === undefined ? "" : `: ${reason}`}`;
}

/** Any event of the journal in one line: in words where there are some, else as its fields. */
export function describeAnyEvent(event: WireEvent): EventLine {
  const body = knownEvent(event);
  const described = body === undefined ? undefined : descriptionOf(body, JOURNAL)?.(body);
  if (described !== undefined) {
    const [text, tone = "dim"] = described;
    return { step: stepOf(event), text: plainLine(text), tone };
  }
  return describeEvent(event) ?? { step: stepOf(event), text: fieldsOf(event), tone: "dim" };
}

/** What is in an event beside its envelope. */
function fieldsOf(event: WireEvent): string {
  const { seq: _s, id: _i, time: _t, kind: _k, actor: _a, run_id: _r, ...rest } = event;
  const { step_id: _st, agent_id: _ag, parent: _p, ...fields } = rest;
  return jsonLine(fields);
}

/** The table's entry for this kind takes exactly this event, which the compiler cannot follow. */
function descriptionOf(
  body: EventBody,
  table: Descriptions,
): ((event: EventBody) => Described) | undefined {
  return table[body.kind] as ((event: EventBody) => Described) | undefined;
}

function stepOf(event: WireEvent): string {
  const named = event["subtask_id"];
  return plainLine(event.step_id ?? (typeof named === "string" ? named : ""));
}
