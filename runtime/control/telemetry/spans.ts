import type { Tracer } from "@opentelemetry/api";
import type { AuditEvent, EventBodyOf, EventKind } from "../../protocol/event.js";
import { isRunEnded } from "../../protocol/run.js";
import { OpenSpans, operation } from "./open-spans.js";

type EventOf<K extends EventKind> = Omit<AuditEvent, "kind"> & EventBodyOf<K>;
type Handlers = { readonly [K in EventKind]?: (event: EventOf<K>) => void };

/**
 * The journal as spans by OpenTelemetry's conventions for generative AI: a run is a workflow, below it its planning, its agents, their
 * model calls and tool calls. Content (the goal, the last words) only with `content`.
 */
export function spansOf(
  tracer: Tracer,
  { content }: { readonly content: boolean },
): (event: AuditEvent) => void {
  const spans = new OpenSpans(tracer);
  const handlers: Handlers = {
    ...runSpans(spans, content),
    ...agentSpans(spans),
    ...callSpans(spans),
  };
  return (event) => (handlers[event.kind] as ((event: AuditEvent) => void) | undefined)?.(event);
}

function runSpans(spans: OpenSpans, content: boolean): Handlers {
  return {
    run_submitted: (event) => {
      const span = spans.run(event);
      if (content) span?.setAttribute("gen_ai.input.messages", event.goal);
    },
    run_state_changed: (event) => {
      const { run_id = "", to, error = "failed" } = event;
      const problem = to === "failed" ? error : undefined;
      if (to === "planning")
        spans.plans.set(run_id, spans.start("plan", event, operation("plan"), spans.run(event)));
      else spans.end(spans.plans, run_id, event, problem);
      if (isRunEnded(to)) spans.end(spans.runs, run_id, event, problem);
    },
    run_result: ({ run_id = "", final_text }) => {
      if (content) spans.runs.get(run_id)?.setAttribute("gen_ai.output.messages", final_text);
    },
  };
}

function agentSpans(spans: OpenSpans): Handlers {
  return {
    agent_spawned: (event) => {
      const { agent_id = "", manifest_name, model, parent_agent, step_id } = event;
      const attributes = {
        ...operation("invoke_agent"),
        "gen_ai.agent.name": manifest_name,
        "gen_ai.agent.id": agent_id,
        "gen_ai.request.model": model,
        ...(step_id === undefined ? {} : { "aaos.step_id": step_id }),
      };
      const parent = spans.agents.get(parent_agent ?? "") ?? spans.run(event);
      const span = spans.start(`invoke_agent ${manifest_name}`, event, attributes, parent);
      spans.agents.set(agent_id, span);
    },
    agent_stopped: (event) => {
      const problem = event.reason === "error" ? "agent_failed" : undefined;
      spans.end(spans.agents, event.agent_id ?? "", event, problem);
    },
  };
}

function callSpans(spans: OpenSpans): Handlers {
  return {
    usage_reported: (event) => {
      const { provider, model, input_tokens, output_tokens, latency_ms, time } = event;
      const attributes = {
        ...operation("chat"),
        "gen_ai.provider.name": provider,
        "gen_ai.request.model": model,
        "gen_ai.usage.input_tokens": input_tokens,
        "gen_ai.usage.output_tokens": output_tokens,
      };
      const began = new Date(Date.parse(time) - latency_ms);
      spans.start(`chat ${model}`, began, attributes, spans.parentOf(event)).end(new Date(time));
    },
    tool_invoked: (event) => {
      const { tool, call_id } = event;
      const attributes = {
        ...operation("execute_tool"),
        "gen_ai.tool.name": tool,
        "gen_ai.tool.call.id": call_id,
      };
      const span = spans.start(`execute_tool ${tool}`, event, attributes, spans.parentOf(event));
      spans.calls.set(callKey(event), span);
    },
    tool_result: (event) => spans.end(spans.calls, callKey(event), event, event.error_kind),
  };
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
