import { setTimeout as sleep } from "node:timers/promises";
import { withinTime } from "../../base/duration.js";
import { errorText } from "../../base/error-text.js";
import type { Receiver } from "./receiver.js";

const ANSWER_MS = 10_000;
/** Waits between the tries, in ms; so there are three. */
const PAUSES_MS = [1_000, 4_000];

/** POSTs each notice as JSON and takes any 2xx for an answer. `fetch` brings the operator's proxy. No redirect is followed. */
export function webhook(url: string, fetch: typeof globalThis.fetch): Receiver {
  return {
    name: `webhook ${new URL(url).host}`,
    deliver: async (json, signal) => {
      for (const pause of [...PAUSES_MS, undefined]) {
        try {
          return await post(fetch, url, json, signal);
        } catch (thrown) {
          if (pause === undefined || signal.aborted) throw thrown;
          await sleep(pause, undefined, { signal });
        }
      }
    },
  };
}

async function post(
  fetch: typeof globalThis.fetch,
  url: string,
  json: string,
  signal: AbortSignal,
): Promise<void> {
  const response = await withinTime(ANSWER_MS, signal, (until) =>
    fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: json,
      redirect: "manual",
      signal: until,
    }),
  ).catch((thrown: unknown) => {
    throw new Error(because(thrown));
  });
  await response.body?.cancel();
  if (!response.ok) throw new Error(`it answered ${response.status}`);
}

/** `fetch failed` says nothing; its cause does. */
function because(thrown: unknown): string {
  return errorText(thrown instanceof Error && thrown.cause !== undefined ? thrown.cause : thrown);
}
