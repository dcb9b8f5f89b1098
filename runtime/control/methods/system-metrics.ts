import type { ControlDeps } from "../deps.js";
import type { CallHandler } from "../handler.js";

/** What Prometheus scrapes, for who may see every run. */
export function systemMetrics({ metrics }: ControlDeps): CallHandler<"system.metrics"> {
  return async () => ({ text: await metrics.text() });
}
