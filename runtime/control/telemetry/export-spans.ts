import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { BasicTracerProvider, BatchSpanProcessor } from "@opentelemetry/sdk-trace-node";
import type { AuditEvent } from "../../protocol/event.js";
import { spansOf } from "./spans.js";

export interface SpanExport {
  readonly take: (events: readonly AuditEvent[]) => void;
  /** Sends what is left; a collector that does not answer is waited for at most as long as one export may take. */
  readonly close: () => Promise<void>;
}

const EXPORT_MS = 5_000;
const MAX_QUEUE = 4_096;

/** Sends spans to a collector, in batches and in the background. One that is away loses spans, and nothing else. */
export function exportSpans(options: {
  /** The collector's base URL; `/v1/traces` is added. */
  readonly endpoint: string;
  readonly content: boolean;
}): SpanExport {
  const url = `${options.endpoint.replace(/\/$/, "")}/v1/traces`;
  const exporter = new OTLPTraceExporter({ url, timeoutMillis: EXPORT_MS });
  const provider = new BasicTracerProvider({
    spanProcessors: [
      new BatchSpanProcessor(exporter, { maxQueueSize: MAX_QUEUE, exportTimeoutMillis: EXPORT_MS }),
    ],
  });
  const span = spansOf(provider.getTracer("aaos"), options);
  return {
    take: (events) => events.forEach(span),
    close: () => provider.shutdown(),
  };
}
