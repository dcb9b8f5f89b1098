import type { Readable, Writable } from "node:stream";
import type { Dispatcher } from "undici";
import { errorText } from "../base/error-text.js";
import type { PortResult } from "../protocol/ports.js";
import { textLines } from "../protocol/text-lines.js";
import { WEB_WORKER_MAX_LINE_BYTES, WebWorkerRequest } from "../protocol/web-worker-wire.js";
import { type WebHop, webHop } from "./web-hop.js";

/**
 * The confined web worker's whole work: reads requests, fetches one hop each through the dispatcher, writes replies in the
 * order in which they are done. Ends when stdin does, with what is under way stopped. A line that is no request throws:
 * the daemon never writes one.
 */
export async function serveWebRequests(
  stdin: Readable,
  stdout: Writable,
  dispatcher: Dispatcher,
): Promise<void> {
  const running = new Map<number, AbortController>();
  const fetchOne = async (request: Extract<WebWorkerRequest, { id: number }>) => {
    const { id, ...what } = request;
    const stop = new AbortController();
    running.set(id, stop);
    const result = await webHop(dispatcher, what, stop.signal).catch(unforeseen);
    running.delete(id);
    if (!stop.signal.aborted) stdout.write(`${JSON.stringify({ id, result })}\n`);
  };
  for await (const line of textLines(stdin, WEB_WORKER_MAX_LINE_BYTES)) {
    const request = WebWorkerRequest.parse(JSON.parse(line));
    if ("cancel" in request) running.get(request.cancel)?.abort();
    else void fetchOne(request);
  }
  for (const stop of running.values()) stop.abort();
}

function unforeseen(thrown: unknown): PortResult<WebHop> {
  return { ok: false, kind: "failed", message: errorText(thrown) };
}
