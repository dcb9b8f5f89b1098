import {
  type Attributes,
  type Context,
  ROOT_CONTEXT,
  type Span,
  SpanStatusCode,
  type Tracer,
  trace,
} from "@opentelemetry/api";
import type { AuditEvent } from "../../protocol/event.js";

type When = Pick<AuditEvent, "time">;
type Whose = Pick<AuditEvent, "time" | "run_id" | "agent_id">;

/** The spans that have begun and not ended, by what they are of. */
export class OpenSpans {
  readonly runs = new Map<string, Span>();
  readonly plans = new Map<string, Span>();
  readonly agents = new Map<string, Span>();
  readonly calls = new Map<string, Span>();
  readonly #tracer: Tracer;

  constructor(tracer: Tracer) {
    this.#tracer = tracer;
  }

  start(name: string, at: When | Date, attributes: Attributes, parent?: Span): Span {
    const startTime = at instanceof Date ? at : new Date(at.time);
    return this.#tracer.startSpan(name, { startTime, attributes }, under(parent));
  }

  /** Ends the span, if it has begun. `problem` is a word of low cardinality, by which failures are told apart. */
  end(spans: Map<string, Span>, key: string, at: When, problem?: string): void {
    const span = spans.get(key);
    spans.delete(key);
    if (problem !== undefined) {
      span?.setStatus({ code: SpanStatusCode.ERROR, message: problem });
      span?.setAttribute("error.type", problem);
    }
    span?.end(new Date(at.time));
  }

  /** The run's span; one whose beginning this daemon has not seen begins now. */
  run(event: Whose): Span | undefined {
    const { run_id } = event;
    if (run_id === undefined) return undefined;
    const known = this.runs.get(run_id);
    if (known !== undefined) return known;
    const attributes = { "aaos.run_id": run_id, "gen_ai.conversation.id": run_id };
    const span = this.start("invoke_workflow aaos", event, {
      ...operation("invoke_workflow"),
      ...attributes,
    });
    this.runs.set(run_id, span);
    return span;
  }

  /** What a call of this event belongs to: its agent, else the planning, else the run. */
  parentOf(event: Whose): Span | undefined {
    return (
      this.agents.get(event.agent_id ?? "") ?? this.plans.get(event.run_id ?? "") ?? this.run(event)
    );
  }
}

export function operation(name: string): Attributes {
  return { "gen_ai.operation.name": name };
}

function under(parent: Span | undefined): Context {
  return parent === undefined ? ROOT_CONTEXT : trace.setSpan(ROOT_CONTEXT, parent);
}
