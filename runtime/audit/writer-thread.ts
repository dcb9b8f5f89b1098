import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import { assertNever } from "../base/assert-never.js";
import { migrate } from "../store/migrate.js";
import { openDatabase } from "../store/open.js";
import { lockForWriting } from "../store/owner-lock.js";
import { storeError } from "../store/sqlite-error.js";
import { type Appender, appender } from "./append.js";
import { appendHead, headPaths, machineKey, signHead } from "./heads.js";
import {
  type Signature,
  toRecord,
  type WriterAnswer,
  type WriterData,
  type WriterRequest,
} from "./writer-protocol.js";

/**
 * The main of the thread that owns the write connection. Everything here is synchronous: an answer is sent when what was asked
 * is on the disk. Opening answers `opened` or `failed`; after `close` nothing is left open and the thread ends.
 */
function main(port: MessagePort, { path }: WriterData): void {
  const send = (answer: WriterAnswer): void => {
    port.postMessage(answer);
  };
  try {
    const writer = openWriter(path);
    port.on("message", (request: WriterRequest) => {
      send(answerTo(writer, request));
      if (request.type === "close") {
        writer.close();
        port.close();
      }
    });
    send({ type: "opened" });
  } catch (thrown) {
    send({ type: "failed", error: toRecord(storeError("open journal", path, thrown)) });
  }
}

interface Writer {
  readonly append: Appender["append"];
  readonly sign: (time: string) => Signature;
  readonly close: () => void;
}

function openWriter(path: string): Writer {
  const db = openDatabase(path, { readonly: false });
  const opened: (() => void)[] = [() => db.close()];
  const close = (): void => {
    for (const undo of opened.splice(0).reverse()) undo();
  };
  try {
    const lock = lockForWriting(path);
    opened.unshift(() => {
      lock.release();
    });
    migrate(db, path);
    const { append, head } = appender(db, path);
    return { append, sign: headSigner(path, head), close };
  } catch (thrown) {
    close();
    throw thrown;
  }
}

/** Signs the head if it moved since it was signed last, and writes it down beside the database. */
function headSigner(path: string, head: Appender["head"]): Writer["sign"] {
  const paths = headPaths(path);
  const key = machineKey(paths.key);
  let signedSeq = 0;
  return (time) => {
    try {
      const now = head();
      if (now.seq === signedSeq) return { head: null, problem: null };
      const signed = signHead(key, now, time);
      appendHead(paths.heads, signed);
      signedSeq = now.seq;
      return { head: signed, problem: null };
    } catch (thrown) {
      return { head: null, problem: toRecord(storeError("sign head", path, thrown)) };
    }
  };
}

function answerTo(writer: Writer, request: WriterRequest): WriterAnswer {
  switch (request.type) {
    case "append":
      return { type: "append", outcomes: writer.append(request.appends) };
    case "sign_head":
    case "close":
      return { type: request.type, ...writer.sign(request.time) };
    default:
      return assertNever(request);
  }
}

if (parentPort !== null) main(parentPort, workerData as WriterData);
