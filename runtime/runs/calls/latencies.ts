import type { ModelLatency } from "../../protocol/budget.js";

/** Samples kept of each model. */
const SAMPLES = 256;

/** The newest latencies of each model, in a ring. */
export interface Latencies {
  readonly add: (provider: string, model: string, latencyMs: number) => void;
  readonly figures: () => readonly ModelLatency[];
}

export function openLatencies(): Latencies {
  const rings = new Map<string, { provider: string; model: string; samples: number[] }>();
  return {
    add: (provider, model, latencyMs) => {
      const key = JSON.stringify([provider, model]);
      const ring = rings.get(key) ?? { provider, model, samples: [] };
      rings.set(key, ring);
      ring.samples.push(latencyMs);
      if (ring.samples.length > SAMPLES) ring.samples.shift();
    },
    figures: () =>
      [...rings.values()].map(({ provider, model, samples }) => {
        const sorted = [...samples].sort((a, b) => a - b);
        return {
          ...{ model, provider, calls: samples.length },
          p50_ms: quantile(sorted, 0.5),
          p95_ms: quantile(sorted, 0.95),
        };
      }),
  };
}

/** By the nearest rank. */
function quantile(sorted: readonly number[], q: number): number {
  return sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? 0;
}
