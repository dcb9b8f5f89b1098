/** SIGHUP as the daemon hears it. */
export interface Hangups {
  /** From now on each calls `heard`; at once, where one came before. Returns what ends it. */
  readonly listen: (heard: () => void) => Disposable;
}

/** Hears SIGHUP from this call on: one that comes before anybody listens is kept, and none ends the process. */
export function hearHangups(): Hangups {
  let missed = false;
  let tell: (() => void) | undefined;
  process.on("SIGHUP", () => {
    if (tell === undefined) missed = true;
    else tell();
  });
  return {
    listen: (heard) => {
      tell = heard;
      if (missed) heard();
      missed = false;
      return { [Symbol.dispose]: () => (tell = undefined) };
    },
  };
}

/** The first signal that asks the daemon to end. */
export function stopSignal(): Promise<string> {
  return new Promise((resolve) => {
    for (const name of ["SIGTERM", "SIGINT"] as const) process.once(name, () => resolve(name));
  });
}
