import { ATTEMPT_GROUPS } from "./all-attempts.js";
import type { Verdict } from "./judge.js";
import type { Measured } from "./result.js";

export function renderReport(measured: Measured, verdict: Verdict): string {
  return `${measured.kernel} ${verdict.summary} ${ATTEMPT_GROUPS.length}`;
}
