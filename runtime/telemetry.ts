import type { Logger } from "pino";
import type { Journal } from "./audit/journal.js";
import { errorText } from "./base/error-text.js";
import type { SpanExport } from "./control/telemetry/export-spans.js";
import type { Settings } from "./protocol/settings.js";

/** Traces, where agentd.yaml names a collector; what sends them is loaded only then. */
export async function openTelemetry(
  { otlp_endpoint: endpoint, capture_content: content }: Settings["telemetry"],
  journal: Pick<Journal, "subscribe">,
  log: Logger,
): Promise<{ readonly close: () => Promise<void> }> {
  if (endpoint === undefined) return { close: async () => {} };
  const { exportSpans } = await import("./control/telemetry/export-spans.js");
  const spans: SpanExport = exportSpans({ endpoint, content });
  const unsubscribe = journal.subscribe(spans.take);
  log.info({ endpoint, content }, "traces are sent");
  return {
    close: async () => {
      unsubscribe();
      await spans.close().catch((thrown: unknown) => {
        log.warn({ endpoint, err: errorText(thrown) }, "the last traces could not be sent");
      });
    },
  };
}
