/** Longest delay of a Node timer. */
const MAX_TIMER_MS = 2_147_483_647;

/** One alarm for each id. */
export interface Clocks {
  /** Calls `ring` once `atMs`, ms since the epoch, has come; at once where it has. Takes the place of an earlier one. */
  readonly start: (id: string, atMs: number, ring: () => void) => void;
  readonly stop: (id: string) => void;
  readonly stopAll: () => void;
}

export function openClocks(now: () => number): Clocks {
  const timers = new Map<string, NodeJS.Timeout>();
  const stop = (id: string): void => {
    clearTimeout(timers.get(id));
    timers.delete(id);
  };
  const start = (id: string, atMs: number, ring: () => void): void => {
    stop(id);
    const waitMs = Math.max(0, atMs - now());
    const late = (): void => (waitMs > MAX_TIMER_MS ? start(id, atMs, ring) : ring());
    timers.set(id, setTimeout(late, Math.min(waitMs, MAX_TIMER_MS)));
  };
  return {
    start,
    stop,
    stopAll: () => {
      for (const id of [...timers.keys()]) stop(id);
    },
  };
}
