import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { ModelLatency, ProviderQueue } from "../protocol/budget.js";
import type { AuditEvent, EventBodyOf, EventKind } from "../protocol/event.js";
import { isRunEnded } from "../protocol/run.js";
import type { StoreReader } from "../store/reader.js";

const LATENCY_S = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120];

export interface Metrics {
  /** Counts events as they are committed. */
  readonly count: (events: readonly AuditEvent[]) => void;
  /** The text format of Prometheus, 0.0.4. */
  readonly text: () => Promise<string>;
}

/** How models and their providers do now. */
interface Traffic {
  readonly models: readonly ModelLatency[];
  readonly providers: readonly ProviderQueue[];
}

/** What has happened since the daemon started, and what is under way now. No goal, no path and no content is in a label. */
export function openMetrics(
  reader: Pick<StoreReader, "runs" | "agents">,
  version: string,
  traffic: () => Traffic,
): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, prefix: "aaos_" });
  const registers = [registry];
  const counter = <L extends string>(name: string, help: string, labelNames: readonly L[] = []) =>
    new Counter({ name: `aaos_${name}_total`, help, labelNames: [...labelNames], registers });
  const gauge = (name: string, help: string, value: () => number) =>
    new Gauge({
      ...{ name: `aaos_${name}`, help, registers },
      collect() {
        this.set(value());
      },
    });
  new Gauge({
    name: "aaos_info",
    help: "The version that runs.",
    labelNames: ["version"],
    registers,
  }).set({ version }, 1);
  gauge("runs_active", "Runs that have not ended.", () => reader.runs({ all: false }).length);
  gauge("agents_active", "Agents that have not ended.", () => reader.agents({ all: false }).length);
  const counted = {
    events: counter("events", "Events of the journal.", ["kind"]),
    runs: counter("runs_ended", "Runs that have ended.", ["state"]),
    tools: counter("tool_calls", "Tool calls that have ended.", ["tool", "success"]),
    denials: counter("denials", "Accesses that were refused.", ["layer"]),
    tokens: counter("model_tokens", "Tokens that models have read and written.", [
      "model",
      "direction",
    ]),
    usd: counter("model_usd", "Dollars that model calls have cost.", ["model"]),
    failures: counter("model_failures", "Model calls that failed.", ["model", "failure"]),
  };
  const latency = new Histogram({
    name: "aaos_model_call_seconds",
    help: "How long model calls took.",
    labelNames: ["model"],
    buckets: LATENCY_S,
    registers,
  });
  trafficGauges(registry, traffic);
  const handlers: { readonly [K in EventKind]?: (event: EventBodyOf<K>) => void } = {
    run_state_changed: ({ to }) => {
      if (isRunEnded(to)) counted.runs.inc({ state: to });
    },
    tool_result: ({ tool, success }) => counted.tools.inc({ tool, success: String(success) }),
    capability_denied: ({ layer }) => counted.denials.inc({ layer }),
    usage_reported: ({ model, input_tokens, output_tokens, usd, latency_ms }) => {
      counted.tokens.inc({ model, direction: "input" }, input_tokens);
      counted.tokens.inc({ model, direction: "output" }, output_tokens);
      counted.usd.inc({ model }, usd);
      latency.observe({ model }, latency_ms / 1_000);
    },
    model_call_failed: ({ model, failure }) => counted.failures.inc({ model, failure }),
  };
  const count = (event: AuditEvent): void => {
    counted.events.inc({ kind: event.kind });
    (handlers[event.kind] as ((event: AuditEvent) => void) | undefined)?.(event);
  };
  return { count: (events) => events.forEach(count), text: () => registry.metrics() };
}

/** Read when somebody asks; a model or provider that is no longer there is no longer told of. */
function trafficGauges(registry: Registry, traffic: () => Traffic): void {
  const registers = [registry];
  new Gauge({
    name: "aaos_model_latency_seconds",
    help: "How long the newest calls of a model took: their median and 95th percentile.",
    labelNames: ["provider", "model", "quantile"],
    registers,
    collect() {
      this.reset();
      for (const { provider, model, p50_ms, p95_ms } of traffic().models) {
        this.set({ provider, model, quantile: "0.5" }, p50_ms / 1_000);
        this.set({ provider, model, quantile: "0.95" }, p95_ms / 1_000);
      }
    },
  });
  new Gauge({
    name: "aaos_model_queue",
    help: "Calls of a provider that are under way or wait their turn.",
    labelNames: ["provider", "state"],
    registers,
    collect() {
      this.reset();
      for (const { provider, under_way, waiting } of traffic().providers) {
        this.set({ provider, state: "under_way" }, under_way);
        this.set({ provider, state: "waiting" }, waiting);
      }
    },
  });
}
