import { openFlows, type Turn } from "./flows.js";

/** Longest delay of a Node timer. */
const MAX_TIMER_MS = 2_147_483_647;

/** The calls of one provider: as many at a time as it has slots, in the order of `Flows`. */
export interface CallQueue {
  /** Waits for a slot; rejects with the signal's reason when it aborts first. The caller disposes of what it gets. */
  readonly take: (turn: Turn, signal: AbortSignal) => Promise<Disposable>;
  /** Nothing new begins before that time, ms since the epoch: the provider has asked for it. */
  readonly holdUntil: (timeMs: number) => void;
  readonly state: () => QueueState;
}

export interface QueueState {
  readonly slots: number;
  readonly under_way: number;
  readonly waiting: number;
  /** Null while nothing holds the calls back. */
  readonly held_until: number | null;
}

export function openCallQueue(slots: number, now: () => number): CallQueue {
  const waiting = openFlows<(slot: Disposable) => void>();
  let underWay = 0;
  let heldUntil = 0;
  let timer: NodeJS.Timeout | undefined;

  function serve(): void {
    clearTimeout(timer);
    while (underWay < slots && waiting.count() > 0) {
      const waitMs = heldUntil - now();
      if (waitMs > 0) {
        timer = setTimeout(serve, Math.min(waitMs, MAX_TIMER_MS));
        return;
      }
      const begin = waiting.next();
      underWay++;
      begin?.(
        once(() => {
          underWay--;
          serve();
        }),
      );
    }
  }

  return {
    take: async (turn, signal) => {
      signal.throwIfAborted();
      return new Promise<Disposable>((resolve, reject) => {
        const giveUp = (): void => {
          leave();
          reject(signal.reason as Error);
          serve();
        };
        const leave = waiting.add(turn, (slot) => {
          signal.removeEventListener("abort", giveUp);
          resolve(slot);
        });
        signal.addEventListener("abort", giveUp, { once: true });
        serve();
      });
    },
    holdUntil: (timeMs) => {
      heldUntil = Math.max(heldUntil, timeMs);
    },
    state: () => ({
      slots,
      under_way: underWay,
      waiting: waiting.count(),
      held_until: heldUntil > now() ? heldUntil : null,
    }),
  };
}

function once(release: () => void): Disposable {
  let isHeld = true;
  return {
    [Symbol.dispose]() {
      if (!isHeld) return;
      isHeld = false;
      release();
    },
  };
}
