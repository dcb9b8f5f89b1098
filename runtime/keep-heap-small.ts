import { setFlagsFromString } from "node:v8";

/**
 * V8 lets a heap grow to four times what lives in it before it looks what of it is garbage: the daemon holds 45 MB and would take
 * 350. It runs beside its agents for months, so it looks at a fifth more, and keeps new objects in 4 MB. For the daemon's
 * heap and those of its threads; called before its code is loaded. Figures: docs/performance.md, `bench/campaigns/load`.
 */
export function keepHeapSmall(): void {
  setFlagsFromString("--heap-growing-percent=20");
  setFlagsFromString("--max-semi-space-size=4");
  setFlagsFromString("--semi-space-growth-factor=1");
}
