import {
  type Attributes,
  type Context,
  ROOT_CONTEXT,
  type Span,
  SpanStatusCode,
  type Tracer,
  trace,
} from "@opentelemetry/api";
import type { AuditEvent, EventBodyOf, EventKind } from "../../protocol/event.js";
import { isRunEnded } from "../../protocol/run.js";

type EventOf<K extends EventKind> = Omit<AuditEvent, "kind"> & EventBodyOf<K>;
type Handlers = { readonly [K in EventKind]?: (event: EventOf<K>) => void };

/**
 * The journal as spans by OpenTelemetry's conventions for generative AI: a run is a workflow, below it its planning, its agents, their
 * model calls and tool calls. Content (the goal, the last words) only with `content`. A span whose beginning this daemon has not
 * seen begins with the first event of it.
 */
export function spansOf(
  tracer: Tracer,
  { content }: { readonly content: boolean },
): (event: AuditEvent) => void {
  const runs = new Map<string, Span>();
  const plans = new Map<string, Span>();
  const agents = new Map<string, Span>();
  const calls = new Map<string, Span>();

  const start = (
    name: string,
    event: Pick<AuditEvent, "time">,
    attributes: Attributes,
    parent?: Span,
  ): Span => tracer.startSpan(name, { startTime: new Date(event.time), attributes }, under(parent));
  const end = (
    spans: Map<string, Span>,
    key: string,
    event: Pick<AuditEvent, "time">,
    problem?: string,
  ): void => {
    const span = spans.get(key);
    spans.delete(key);
    if (problem !== undefined) {
      span?.setStatus({ code: SpanStatusCode.ERROR, message: problem });
      span?.setAttribute("error.type", problem);
    }
    span?.end(new Date(event.time));
  };
  const runOf = (event: Pick<AuditEvent, "time" | "run_id">): Span | undefined => {
    const { run_id } = event;
    if (run_id === undefined) return undefined;
    const known = runs.get(run_id);
    if (known !== undefined) return known;
    const attributes = {
      ...operation("invoke_workflow"),
      "aaos.run_id": run_id,
      "gen_ai.conversation.id": run_id,
    };
    const span = start("invoke_workflow aaos", event, attributes);
    runs.set(run_id, span);
    return span;
  };
  const parentOf = (event: Pick<AuditEvent, "time" | "run_id" | "agent_id">): Span | undefined =>
    agents.get(event.agent_id ?? "") ?? plans.get(event.run_id ?? "") ?? runOf(event);

  const handlers: Handlers = {
    run_submitted: (event) => {
      const span = runOf(event);
      if (content) span?.setAttribute("gen_ai.input.messages", event.goal);
    },
    run_state_changed: (event) => {
      const key = event.run_id ?? "";
      if (event.to === "planning")
        plans.set(key, start("plan", event, operation("plan"), runOf(event)));
      else end(plans, key, event, event.to === "failed" ? (event.error ?? "failed") : undefined);
      if (isRunEnded(event.to))
        end(runs, key, event, event.to === "failed" ? (event.error ?? "failed") : undefined);
    },
    run_result: (event) => {
      if (content)
        runs.get(event.run_id ?? "")?.setAttribute("gen_ai.output.messages", event.final_text);
    },
    agent_spawned: (event) => {
      const { agent_id = "", manifest_name, model, parent_agent, step_id } = event;
      const attributes = {
        ...operation("invoke_agent"),
        ...{
          "gen_ai.agent.name": manifest_name,
          "gen_ai.agent.id": agent_id,
          "gen_ai.request.model": model,
        },
        ...(step_id === undefined ? {} : { "aaos.step_id": step_id }),
      };
      const parent = agents.get(parent_agent ?? "") ?? runOf(event);
      agents.set(agent_id, start(`invoke_agent ${manifest_name}`, event, attributes, parent));
    },
    agent_stopped: (event) =>
      end(
        agents,
        event.agent_id ?? "",
        event,
        event.reason === "error" ? "agent_failed" : undefined,
      ),
    usage_reported: (event) => {
      const { provider, model, input_tokens, output_tokens, latency_ms, time } = event;
      const startTime = new Date(Date.parse(time) - latency_ms);
      const attributes = {
        ...operation("chat"),
        ...{ "gen_ai.provider.name": provider, "gen_ai.request.model": model },
        ...{
          "gen_ai.usage.input_tokens": input_tokens,
          "gen_ai.usage.output_tokens": output_tokens,
        },
      };
      tracer
        .startSpan(`chat ${model}`, { startTime, attributes }, under(parentOf(event)))
        .end(new Date(time));
    },
    tool_invoked: (event) => {
      const { tool, call_id } = event;
      const attributes = {
        ...operation("execute_tool"),
        "gen_ai.tool.name": tool,
        "gen_ai.tool.call.id": call_id,
      };
      calls.set(callKey(event), start(`execute_tool ${tool}`, event, attributes, parentOf(event)));
    },
    tool_result: (event) => end(calls, callKey(event), event, event.error_kind),
  };
  return (event) => (handlers[event.kind] as ((event: AuditEvent) => void) | undefined)?.(event);
}

function callKey({
  agent_id,
  call_id,
}: {
  readonly agent_id?: string | undefined;
  readonly call_id: string;
}): string {
  return `${agent_id ?? ""} ${call_id}`;
}

function operation(name: string): Attributes {
  return { "gen_ai.operation.name": name };
}

function under(parent: Span | undefined): Context {
  return parent === undefined ? ROOT_CONTEXT : trace.setSpan(ROOT_CONTEXT, parent);
}
