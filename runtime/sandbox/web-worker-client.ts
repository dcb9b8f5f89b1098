import type { Readable, Writable } from "node:stream";
import { errorText } from "../base/error-text.js";
import type { Denial } from "../protocol/access.js";
import type { PortResult, WebPort, WebRequest } from "../protocol/ports.js";
import { textLines } from "../protocol/text-lines.js";
import { webAddress } from "../protocol/web-address.js";
import {
  WEB_WORKER_MAX_BODY_BYTES,
  WEB_WORKER_MAX_LINE_BYTES,
  WebWorkerReply,
  type WebWorkerRequest,
} from "../protocol/web-worker-wire.js";
import { checkHostProof } from "./check-proof.js";
import { portFailure } from "./port-failure.js";
import type { WebHop } from "./web-hop.js";

/** A running web worker, however it was started and confined. */
export interface WebWorkerProcess {
  readonly stdin: Writable;
  readonly stdout: Readable;
  /** Resolves when the process has ended. */
  readonly exited: Promise<unknown>;
}

export interface WebWorkerOptions {
  /** The egress proxy's latest refusal of this host and port, if it refused: the worker itself sees a closed door only. */
  readonly denialOf: (host: string, port: number) => Denial | undefined;
  /** Why this host and port could not be reached the last time; only the proxy knows. */
  readonly failureOf?: (host: string, port: number) => string | undefined;
  /** The worker said what it must not: nothing it says counts any more, and it is to be ended. */
  readonly onBroken?: () => void;
}

/** How much longer than its own timeout a request is waited for: a worker that has lost its wits does not hold an agent. */
const GRACE_MS = 2_000;
/** The same for a worker that has not answered anything yet: its process may still be starting, on a machine as slow as they come. */
const FIRST_GRACE_MS = 120_000;

interface Pending {
  readonly request: WebRequest;
  readonly settle: (result: PortResult<WebHop>) => void;
}

/**
 * The port `web` over a confined worker. Requests run at the same time and are told apart by their number; an aborted one is
 * cancelled in the worker too. When the worker ends, or says what it must not, everything under way is `unavailable` and so
 * is every later call. The caller starts, reaps and kills the process.
 */
export function webWorkerClient(worker: WebWorkerProcess, options: WebWorkerOptions): WebPort {
  const pending = new Map<number, Pending>();
  const state: { gone: string | undefined; last: number; hasAnswered: boolean } = {
    ...{ gone: undefined, last: 0, hasAnswered: false },
  };
  const end = (reason: string) => {
    state.gone ??= reason;
    for (const { settle } of pending.values()) settle(portFailure("unavailable", reason));
  };
  worker.stdin.on("error", (error) => end(`the web worker is gone: ${errorText(error)}`));
  void worker.exited.then(() => end("the web worker has ended"));
  void readReplies(worker.stdout, pending).then(
    () => end("the web worker has ended"),
    (error: unknown) => {
      end(`the web worker broke its protocol: ${errorText(error)}`);
      options.onBroken?.();
    },
  );
  return {
    fetch: async (granted, request, signal) => {
      const address = webAddress(request.url);
      if (typeof address === "string") return portFailure("failed", `${request.url} ${address}`);
      checkHostProof(granted, address);
      if (state.gone !== undefined) return portFailure("unavailable", state.gone);
      if (signal.aborted) return portFailure("failed", "stopped before it began");
      state.last += 1;
      const graceMs = state.hasAnswered ? GRACE_MS : FIRST_GRACE_MS;
      const result = await ask(worker.stdin, pending, state.last, request, graceMs, signal);
      if (result.ok) {
        state.hasAnswered = true;
        return result;
      }
      const denial = options.denialOf(address.host, address.port);
      if (denial !== undefined) {
        return { ok: false, kind: "denied", message: denial.message, denial };
      }
      const reason = options.failureOf?.(address.host, address.port);
      if (result.kind !== "unavailable" || reason === undefined) return result;
      return portFailure("unavailable", `${request.url} cannot be fetched: ${reason}`);
    },
  };
}

function ask(
  stdin: Writable,
  pending: Map<number, Pending>,
  id: number,
  request: WebRequest,
  graceMs: number,
  signal: AbortSignal,
): Promise<PortResult<WebHop>> {
  const send = (message: WebWorkerRequest) => stdin.write(`${JSON.stringify(message)}\n`);
  return new Promise((resolve) => {
    const settle = (result: PortResult<WebHop>) => {
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
      pending.delete(id);
      resolve(result);
    };
    const giveUp = (kind: "failed" | "timeout", message: string) => {
      send({ cancel: id });
      settle(portFailure(kind, message));
    };
    const onAbort = () => giveUp("failed", "stopped while under way");
    const late = `${request.url} took longer than ${request.timeout_ms} ms`;
    const timer = setTimeout(() => giveUp("timeout", late), request.timeout_ms + graceMs);
    signal.addEventListener("abort", onAbort);
    pending.set(id, { request, settle });
    const { url, timeout_ms, as } = request;
    const max_bytes = Math.min(request.max_bytes, WEB_WORKER_MAX_BODY_BYTES);
    send({ id, url, max_bytes, timeout_ms, as });
  });
}

/** Settles what is asked for; a reply nobody waits for was cancelled. Throws at the first line that is no reply. */
async function readReplies(stdout: Readable, pending: ReadonlyMap<number, Pending>): Promise<void> {
  for await (const line of textLines(stdout, WEB_WORKER_MAX_LINE_BYTES)) {
    const { id, result } = WebWorkerReply.parse(JSON.parse(line));
    const waiting = pending.get(id);
    if (waiting === undefined) continue;
    waiting.settle(
      result.ok ? { ok: true, value: bounded(result.value, waiting.request) } : result,
    );
  }
}

/** What the worker says of a page, held to what was asked: where it was, and how much of it. */
function bounded(hop: WebHop, request: WebRequest): WebHop {
  if ("redirect" in hop) return hop;
  if (Buffer.byteLength(hop.body) > request.max_bytes)
    throw new Error("a page is longer than asked for");
  return { ...hop, url: request.url };
}
