import { chmodSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Caller } from "../../protocol/caller.js";
import { claimSocket } from "../claim-socket.js";
import type { ControlLog } from "../control-log.js";
import type { Guard } from "./guard.js";

/** One request that was admitted. `signal` aborts when the client is gone or the daemon closes. */
export interface HttpCall {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly url: URL;
  readonly caller: Caller;
  readonly signal: AbortSignal;
}

/** By `METHOD /path`; `* /path` takes every method. */
export type Routes = Readonly<Record<string, (call: HttpCall) => Promise<void> | void>>;

export type HttpPlace =
  | { readonly path: string }
  | { readonly host: string; readonly port: number };

export interface ListenerOptions {
  readonly at: HttpPlace;
  readonly guard: Guard;
  readonly routes: Routes;
  readonly log: ControlLog;
}

const SOCKET_MODE = 0o660;
const HEADERS_MS = 10_000;
const MAX_CONNECTIONS = 256;

/** An HTTP listener on loopback or on a Unix socket (mode 0660). Throws where it cannot listen. */
export async function openListener(
  options: ListenerOptions,
): Promise<{ readonly close: () => Promise<void> }> {
  const { at, log } = options;
  if ("path" in at) await claimSocket(at.path);
  const closing = new AbortController();
  const server = createServer({ headersTimeout: HEADERS_MS, maxHeaderSize: 16_384 });
  server.maxConnections = MAX_CONNECTIONS;
  server.on("request", (request, response) => {
    void serve(request, response, options, closing.signal);
  });
  await listen(server, at);
  server.on("error", (err) => log.error({ err }, "HTTP listener failed"));
  return {
    close: async () => {
      closing.abort();
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

async function serve(
  request: IncomingMessage,
  response: ServerResponse,
  { guard, routes, log }: ListenerOptions,
  closing: AbortSignal,
): Promise<void> {
  const gone = new AbortController();
  response.once("close", () => gone.abort());
  try {
    const admission = guard(request);
    if (!admission.ok) return refuse(response, admission.status, admission.problem);
    const url = new URL(request.url ?? "/", "http://localhost");
    const route = routes[`${request.method ?? ""} ${url.pathname}`] ?? routes[`* ${url.pathname}`];
    if (route === undefined) return refuse(response, 404, "there is nothing here");
    const signal = AbortSignal.any([gone.signal, closing]);
    await route({ request, response, url, caller: admission.caller, signal });
  } catch (err) {
    log.error({ err }, "an HTTP request failed");
    refuse(response, 500, "the request failed; the journal of agentd says why");
  }
}

/** Ends the request with a problem in words; nothing where an answer is under way. */
export function refuse(response: ServerResponse, status: number, problem: string): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const challenge = status === 401 ? { "www-authenticate": "Bearer" } : {};
  response.writeHead(status, { "content-type": "application/json", ...challenge });
  response.end(`${JSON.stringify({ error: problem })}\n`);
}

/** A socket is bound under a mask, so that it is never wider than its mode. */
async function listen(server: Server, at: HttpPlace): Promise<void> {
  const listening = new Promise<void>((resolve, reject) => {
    server.once("listening", resolve);
    server.once("error", reject);
  });
  if (!("path" in at)) {
    server.listen(at);
    return listening;
  }
  const mask = process.umask(0o777 & ~SOCKET_MODE);
  try {
    server.listen(at);
  } finally {
    process.umask(mask);
  }
  await listening;
  chmodSync(at.path, SOCKET_MODE);
}
