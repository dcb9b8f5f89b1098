import { setTimeout as sleep } from "node:timers/promises";
import { withinTime } from "../../base/duration.js";
import { errorText } from "../../base/error-text.js";

const TIMEOUT_MS = 60_000;
const RETRY_MS = 1_000;

/** What an address answers with: text of at most `maxBytes`; no more than that is read. Redirections are not followed. */
export async function readUrl(
  url: string,
  maxBytes: number,
  request: typeof fetch,
  signal: AbortSignal,
): Promise<string> {
  return withinTime(TIMEOUT_MS, signal, async (until) => {
    const answer = await request(url, { signal: until, redirect: "error" }).catch(
      (thrown: unknown) => {
        throw new Error(whyOf(thrown), { cause: thrown });
      },
    );
    if (!answer.ok) throw new Error(`it answered ${answer.status}`);
    return bodyOf(answer, maxBytes);
  });
}

/**
 * The network of a machine that has just been started may take a while: asks again until its signal says that time is up, and then
 * throws what was wrong.
 */
export function askedAgain(request: typeof fetch): typeof fetch {
  return async (url, init) => {
    const until = init?.signal;
    for (;;) {
      try {
        return await request(url, init);
      } catch (thrown) {
        if (until == null || until.aborted) throw thrown;
        await sleep(RETRY_MS, undefined, { signal: until }).catch(() => {
          throw thrown;
        });
      }
    }
  };
}

async function bodyOf(answer: Response, maxBytes: number): Promise<string> {
  if (answer.body === null) return "";
  const pieces: Uint8Array[] = [];
  let size = 0;
  // Left by a throw, the rest is cancelled.
  for await (const piece of answer.body as AsyncIterable<Uint8Array>) {
    size += piece.length;
    if (size > maxBytes) throw new Error(`it is larger than ${maxBytes / 1024} KiB`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString("utf8");
}

/** fetch(3) says that it failed, and why only in its cause. */
function whyOf(thrown: unknown): string {
  const cause = thrown instanceof Error ? thrown.cause : undefined;
  return cause instanceof Error && cause.message !== "" ? cause.message : errorText(thrown);
}
