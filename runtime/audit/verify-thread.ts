import { parentPort, workerData } from "node:worker_threads";
import { storeError } from "../store/sqlite-error.js";
import { verifyJournal } from "./verify.js";
import type { VerifyAnswer, VerifyData } from "./verify-off-loop.js";
import { toRecord } from "./writer-protocol.js";

/** The main of the thread that verifies: one answer, then it ends. */
function answerFor({ path, witnessed }: VerifyData): VerifyAnswer {
  try {
    return { ok: true, report: verifyJournal(path, witnessed) };
  } catch (thrown) {
    return { ok: false, error: toRecord(storeError("verify journal", path, thrown)) };
  }
}

parentPort?.postMessage(answerFor(workerData as VerifyData));
