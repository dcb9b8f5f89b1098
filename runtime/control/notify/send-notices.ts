import { setTimeout as sleep } from "node:timers/promises";
import { errorText } from "../../base/error-text.js";
import type { Notice } from "./notice.js";
import type { Receiver } from "./receiver.js";

const MAX_WAITING = 256;
const CLOSE_MS = 2_000;

interface Outbox {
  /** Takes a notice in and returns at once. */
  readonly put: (notice: Notice) => void;
  /** Waits for what is under way, 2 s at most; what is left then is lost, and said. */
  readonly close: () => Promise<void>;
}

/**
 * Delivers notices to one receiver, one after another, in the background. Whatever becomes of one is told by `warn` and troubles nobody
 * else: a receiver that is away loses notices, and so does one that is slower than 256 of them.
 */
export function sendNotices(
  receiver: Receiver,
  warn: (message: string, fields: object) => void,
): Outbox {
  const waiting: Notice[] = [];
  const stop = new AbortController();
  let sending: Promise<void> | undefined;
  const { name } = receiver;

  const sendAll = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const { kind, run_id } = next;
      try {
        await receiver.deliver(JSON.stringify(next), stop.signal);
      } catch (thrown) {
        const err = stop.signal.aborted ? "the daemon stopped first" : errorText(thrown);
        warn("a notice was not delivered", { receiver: name, kind, run_id, err });
      }
    }
    sending = undefined;
  };
  return {
    put: (notice) => {
      if (waiting.length >= MAX_WAITING) {
        const { kind, run_id } = notice;
        warn("a notice was dropped: too many wait", { receiver: name, kind, run_id });
        return;
      }
      waiting.push(notice);
      sending ??= sendAll();
    },
    close: async () => {
      if (sending === undefined) return;
      const waited = new AbortController();
      await Promise.race([
        sending,
        sleep(CLOSE_MS, undefined, { signal: waited.signal }).catch(() => undefined),
      ]);
      waited.abort();
      stop.abort();
      await sending;
    },
  };
}
