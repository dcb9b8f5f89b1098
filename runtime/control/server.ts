import { chmodSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { AgentdError } from "../protocol/agentd-error.js";
import type { Caller } from "../protocol/caller.js";
import type { Gate } from "./access.js";
import { claimSocket } from "./claim-socket.js";
import { serveConnection } from "./connection.js";
import type { ControlLog } from "./control-log.js";
import { formatError } from "./frames.js";
import type { Handlers } from "./handler.js";

const MODE = 0o660;
const CLOSE_GRACE_MS = 1_000;
/** Clients at the same time; of these, so many places are for admins alone, so that nobody can keep them from stopping a run. */
const MAX_CONNECTIONS = 1_024;
const FOR_ADMINS = 64;
/** A client that has asked nothing yet is about to, for so long. */
const FRESH_MS = 2_000;
/** Clients that are begun to be served in one turn of the loop. */
const A_TURN = 8;

export interface ServerOptions {
  readonly socketPath: string;
  readonly peerOf: (socket: Socket) => Caller;
  readonly gate: Gate;
  /** The API as one caller sees it; asked once for each connection. */
  readonly handlersFor: (caller: Caller) => Handlers;
  readonly log: ControlLog;
  /** Clients at the same time; over it the one idle for longest is let go, and where all are busy, the new one is told so. */
  readonly maxConnections?: number;
  /** A client that takes nothing of its answer for this long is cut off. */
  readonly stallMs?: number;
}

/** One client, and since when it has been waiting to ask something; undefined while it is being answered. */
interface Client {
  readonly socket: Socket;
  idleSince: number | undefined;
  /** It was answered before. */
  isKnown: boolean;
}

/**
 * The control socket: JSON-RPC 2.0, one object a line, mode 0660. Serves until `close`, which stops intake, ends streams, gives
 * answers under way a second, and removes the socket. Throws as `claimSocket` does.
 */
export async function startServer(
  options: ServerOptions,
): Promise<{ readonly close: () => Promise<void> }> {
  await claimSocket(options.socketPath);
  const closing = new AbortController();
  const clients = new Set<Client>();
  // Half-open: a client may close its half after the last request and still get its answers (`nc -N`, `socat`).
  const begin = inTurns((socket: Socket) => {
    admit(socket, clients, { ...options, signal: closing.signal });
  });
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, begin);
  await listen(server, options.socketPath);
  server.on("error", (err) => options.log.error({ err }, "control socket failed"));
  return {
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      closing.abort();
      for (const { socket, idleSince } of clients) if (idleSince !== undefined) socket.destroy();
      const late = setTimeout(() => {
        for (const { socket } of clients) socket.destroy();
      }, CLOSE_GRACE_MS);
      await closed;
      clearTimeout(late);
    },
  };
}

/**
 * However many come at once, a few are begun in each turn of the loop: between them those who are connected already are answered, and
 * the runs go on. Half of them are those that have waited longest, and half those that came last: who looks in need not stand behind
 * a thousand that were there before.
 */
function inTurns<T>(begin: (one: T) => void): (one: T) => void {
  const waiting: T[] = [];
  const next = (): void => {
    const half = A_TURN / 2;
    for (const one of [...waiting.splice(0, half), ...waiting.splice(-half)]) begin(one);
    if (waiting.length > 0) setImmediate(next);
  };
  return (one) => {
    if (waiting.push(one) === 1) setImmediate(next);
  };
}

function admit(
  socket: Socket,
  clients: Set<Client>,
  options: ServerOptions & { readonly signal: AbortSignal },
): void {
  const { maxConnections = MAX_CONNECTIONS, stallMs = 600_000 } = options;
  const peer = options.peerOf(socket);
  const most = peer.admin ? maxConnections : Math.max(1, maxConnections - FOR_ADMINS);
  if (clients.size >= most && !evictIdle(clients)) {
    socket.on("error", () => socket.destroy());
    socket.end(formatError(null, tooManyClients(clients.size)));
    socket.resume();
    return;
  }
  const client: Client = { socket, idleSince: Date.now(), isKnown: false };
  clients.add(client);
  socket.once("close", () => clients.delete(client));
  const onWaiting = (waiting: boolean) => {
    client.idleSince = waiting ? Date.now() : undefined;
    client.isKnown ||= !waiting;
  };
  // It never rejects: whatever happens on a connection stays there.
  void serveConnection(socket, {
    handlers: options.handlersFor(peer),
    gate: options.gate,
    peer,
    log: options.log,
    stallMs,
    signal: options.signal,
    onWaiting,
  });
}

/** Lets the client go that has been idle for longest; false where every one is being answered, or is about to ask. */
function evictIdle(clients: Set<Client>): boolean {
  let oldest: Client | undefined;
  const now = Date.now();
  for (const client of clients) {
    if (client.idleSince === undefined) continue;
    if (!client.isKnown && now - client.idleSince < FRESH_MS) continue;
    if (oldest?.idleSince === undefined || client.idleSince < oldest.idleSince) oldest = client;
  }
  if (oldest === undefined) return false;
  clients.delete(oldest);
  oldest.socket.destroy();
  return true;
}

function tooManyClients(count: number): AgentdError {
  return new AgentdError("unavailable", "connect", `${count} clients are being served`, {
    hint: "Close some of them, or try again in a moment.",
  });
}

/** Binds under a mask, so that the socket is never wider than its mode: bind(2) makes it before listen returns. */
async function listen(server: Server, path: string): Promise<void> {
  const listening = new Promise<void>((resolve, reject) => {
    server.once("listening", resolve);
    server.once("error", reject);
  });
  const mask = process.umask(0o777 & ~MODE);
  try {
    server.listen({ path, backlog: MAX_CONNECTIONS });
  } finally {
    process.umask(mask);
  }
  await listening;
  chmodSync(path, MODE);
}
