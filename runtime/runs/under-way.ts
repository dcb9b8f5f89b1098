/** Work under way, whose ends are never missed: one that comes while nobody waits is told at the next wait. */
export interface UnderWay {
  readonly count: () => number;
  readonly add: (work: Promise<void>) => void;
  /** Resolves once something has ended since it last resolved; rejects with what the first failed work threw. */
  readonly nextEnd: () => Promise<void>;
  /** True when nothing is under way and every end has been told. */
  readonly isIdle: () => boolean;
  /** Waits until nothing is under way; never rejects. */
  readonly settled: () => Promise<void>;
}

export function openUnderWay(): UnderWay {
  const running = new Set<Promise<void>>();
  let ended = 0;
  let told = 0;
  let broken: { readonly thrown: unknown } | undefined;
  let wake = (): void => undefined;
  return {
    count: () => running.size,
    add: (work) => {
      const watched = work
        .catch((thrown: unknown) => {
          broken ??= { thrown };
        })
        .then(() => {
          running.delete(watched);
          ended++;
          wake();
        });
      running.add(watched);
    },
    nextEnd: async () => {
      if (ended === told) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      told = ended;
      if (broken !== undefined) throw broken.thrown;
    },
    isIdle: () => running.size === 0 && ended === told,
    settled: async () => {
      await Promise.all(running);
    },
  };
}
