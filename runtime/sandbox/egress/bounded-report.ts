import type { EgressEvent } from "./types.js";

const BURST = 256;
const PER_SECOND = 32;

/**
 * Passes events on at the rate the audit trail can bear: 256 at once, 32 a second in the long run. A sandbox that asks faster
 * is told of by the number of events left out, which the next one carries.
 */
export function boundedReport(
  report: (event: EgressEvent) => void,
  now: () => number,
): (event: EgressEvent) => void {
  let credit = BURST;
  let last = now();
  let suppressed = 0;
  return (event) => {
    const time = now();
    credit = Math.min(BURST, credit + ((time - last) / 1_000) * PER_SECOND);
    last = time;
    if (credit < 1) {
      suppressed += 1;
      return;
    }
    credit -= 1;
    report(suppressed === 0 ? event : { ...event, suppressed });
    suppressed = 0;
  };
}
