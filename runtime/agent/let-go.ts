/**
 * Work is let go of where it stands, to be taken up again from the journal: the daemon ends, or the run was paused. Thrown at the
 * next turn or call, or the reason of an aborted signal. Nothing may be recorded for it: as far as the journal knows the work goes on.
 */
export class LetGo extends Error {
  override readonly name = "LetGo";

  constructor() {
    super("let go of, to be taken up again");
  }
}

/** Whether what was aborted or thrown is to be taken up again. */
export function isLetGo(reason: unknown): boolean {
  return reason instanceof LetGo;
}

export function throwIfLetGo(signal: AbortSignal): void {
  if (signal.aborted && isLetGo(signal.reason)) throw signal.reason;
}
