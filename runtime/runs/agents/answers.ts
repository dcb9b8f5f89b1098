import type { AgentReport } from "../../protocol/agents-port.js";

/** What somebody who waits for an answer gets. */
export type Waited =
  | { readonly ok: true; readonly report: AgentReport }
  | { readonly ok: false; readonly why: "timeout" | "stopped" };

/** Who waits for the answer to which message. Nobody waits for ever, and nobody is remembered who no longer waits. */
export interface Answers {
  /** Rejects with the signal's reason. */
  readonly wait: (traceId: string, timeoutMs: number, signal: AbortSignal) => Promise<Waited>;
  readonly give: (traceId: string, report: AgentReport) => void;
  /** The agent has stopped: nobody answers these any more. */
  readonly drop: (traceIds: readonly string[]) => void;
  readonly waiting: () => number;
}

/** Longest delay of a Node timer. */
const MAX_TIMER_MS = 2_147_483_647;

export function openAnswers(): Answers {
  const waiting = new Map<string, (waited: Waited) => void>();
  const settle = (traceId: string, waited: Waited): void => waiting.get(traceId)?.(waited);
  return {
    wait: async (traceId, timeoutMs, signal) => {
      signal.throwIfAborted();
      let timer: NodeJS.Timeout | undefined;
      let leave = (): void => undefined;
      try {
        return await new Promise<Waited>((resolve, reject) => {
          waiting.set(traceId, resolve);
          leave = () => reject(signal.reason as Error);
          signal.addEventListener("abort", leave, { once: true });
          timer = setTimeout(
            () => resolve({ ok: false, why: "timeout" }),
            Math.min(timeoutMs, MAX_TIMER_MS),
          );
        });
      } finally {
        clearTimeout(timer);
        signal.removeEventListener("abort", leave);
        waiting.delete(traceId);
      }
    },
    give: (traceId, report) => settle(traceId, { ok: true, report }),
    drop: (traceIds) => {
      for (const id of traceIds) settle(id, { ok: false, why: "stopped" });
    },
    waiting: () => waiting.size,
  };
}
