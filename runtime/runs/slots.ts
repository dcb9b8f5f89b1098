/** A counting semaphore, first come, first served. */
export interface Slots {
  /** Waits for a slot; rejects with the signal's reason when it aborts first. The caller disposes of what it gets. */
  readonly take: (signal: AbortSignal) => Promise<Disposable>;
  /** A slot where one is free now. */
  readonly tryTake: () => Disposable | undefined;
}

export function openSlots(count: number): Slots {
  let free = count;
  const waiting: (() => void)[] = [];
  const give = (): void => {
    const next = waiting.shift();
    if (next === undefined) free++;
    else next();
  };
  const held = (): Disposable => {
    let given = false;
    return {
      [Symbol.dispose]() {
        if (given) return;
        given = true;
        give();
      },
    };
  };
  return {
    tryTake: () => {
      if (free === 0) return undefined;
      free--;
      return held();
    },
    take: async (signal) => {
      signal.throwIfAborted();
      if (free > 0) {
        free--;
        return held();
      }
      await queued(waiting, signal);
      return held();
    },
  };
}

function queued(waiting: (() => void)[], signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const proceed = (): void => {
      signal.removeEventListener("abort", leave);
      resolve();
    };
    const leave = (): void => {
      waiting.splice(waiting.indexOf(proceed), 1);
      reject(signal.reason as Error);
    };
    waiting.push(proceed);
    signal.addEventListener("abort", leave, { once: true });
  });
}
