import { expect, it } from "vitest";
import { openMetrics } from "./metrics.js";

it("tells the percentiles of each model and the queue of each provider as they are now", async () => {
  const models = [{ provider: "p", model: "m", calls: 9, p50_ms: 1_500, p95_ms: 4_000 }];
  let providers = [{ provider: "p", slots: 2, under_way: 2, waiting: 7, held_until: null }];
  const metrics = openMetrics({ runs: () => [], agents: () => [] }, "1.0.0", () => ({
    ...{ models, providers },
  }));
  const text = await metrics.text();
  expect(text).toContain('aaos_model_latency_seconds{provider="p",model="m",quantile="0.5"} 1.5');
  expect(text).toContain('aaos_model_latency_seconds{provider="p",model="m",quantile="0.95"} 4');
  expect(text).toContain('aaos_model_queue{provider="p",state="under_way"} 2');
  expect(text).toContain('aaos_model_queue{provider="p",state="waiting"} 7');
  providers = [];
  expect(await metrics.text()).not.toContain("aaos_model_queue{");
});
