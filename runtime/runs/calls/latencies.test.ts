import { expect, it } from "vitest";
import { openLatencies } from "./latencies.js";

it("A10 the median and the 95th percentile of a model's newest 256 calls", () => {
  const latencies = openLatencies();
  for (let ms = 1; ms <= 1_000; ms++) latencies.add("p", "slow", ms);
  latencies.add("p", "quick", 7);
  expect(latencies.figures()).toEqual([
    { provider: "p", model: "slow", calls: 256, p50_ms: 872, p95_ms: 988 },
    { provider: "p", model: "quick", calls: 1, p50_ms: 7, p95_ms: 7 },
  ]);
});
