import { once } from "node:events";
import { Worker } from "node:worker_threads";
import type { VerifyReport } from "./verify.js";
import { type ErrorRecord, fromRecord, type SignedHead } from "./writer-protocol.js";

export interface VerifyData {
  readonly path: string;
  readonly witnessed: readonly SignedHead[];
}

export type VerifyAnswer =
  | { readonly ok: true; readonly report: VerifyReport }
  | { readonly ok: false; readonly error: ErrorRecord };

/** `verifyJournal` on a thread of its own, so that a daemon answers others meanwhile. Throws an AbortError where `signal` aborts. */
export async function verifyOffLoop(
  path: string,
  witnessed: readonly SignedHead[],
  signal: AbortSignal,
): Promise<VerifyReport> {
  const workerData: VerifyData = { path, witnessed };
  const worker = new Worker(new URL("./verify-thread.js", import.meta.url), {
    workerData,
    execArgv: [],
  });
  try {
    const [answer] = (await once(worker, "message", { signal })) as [VerifyAnswer];
    if (!answer.ok) throw fromRecord(answer.error);
    return answer.report;
  } finally {
    await worker.terminate();
  }
}
