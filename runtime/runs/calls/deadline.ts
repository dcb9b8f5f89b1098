/** By when a call should have begun that nothing hurries. */
const USUAL_WAIT_MS = 60_000;
/** What most roles have; a step of priority 192 should wait half as long, one of 64 twice as long. */
const USUAL_PRIORITY = 128;
const DOUBLING = 64;

/**
 * By when a call that is made now should have begun: soon, sooner the higher its role's priority (0 to 255), and never later than
 * what it is made for has to end. Bounded, so that no call waits behind later ones for ever. Ms since the epoch.
 */
export function callDeadline(
  nowMs: number,
  priority = USUAL_PRIORITY,
  endMs = Number.POSITIVE_INFINITY,
): number {
  return Math.min(endMs, nowMs + USUAL_WAIT_MS * 2 ** ((USUAL_PRIORITY - priority) / DOUBLING));
}
