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

export interface ServerOptions {
  readonly socketPath: string;
  readonly peerOf: (socket: Socket) => Caller;
  readonly gate: Gate;
  /** The API as one caller sees it; asked once for each connection. */
  readonly handlersFor: (caller: Caller) => Handlers;
  readonly log: ControlLog;
  /** Clients at the same time; over it the one idle for longest is let go. */
  readonly maxConnections?: number;
  /** A client that takes nothing of its answer for this long is cut off. */
  readonly stallMs?: number;
}

/** One client, and since when it has been waiting to ask something; undefined while it is being answered. */
interface Client {
  readonly socket: Socket;
  idleSince: number | undefined;
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
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    admit(socket, clients, { ...options, signal: closing.signal });
  });
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

function admit(
  socket: Socket,
  clients: Set<Client>,
  options: ServerOptions & { readonly signal: AbortSignal },
): void {
  const { maxConnections = 256, stallMs = 600_000 } = options;
  if (clients.size >= maxConnections && !evictIdle(clients)) {
    socket.on("error", () => socket.destroy());
    socket.end(formatError(null, tooManyClients(maxConnections)));
    socket.resume();
    return;
  }
  const client: Client = { socket, idleSince: Date.now() };
  clients.add(client);
  socket.once("close", () => clients.delete(client));
  const onWaiting = (waiting: boolean) => {
    client.idleSince = waiting ? Date.now() : undefined;
  };
  const peer = options.peerOf(socket);
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

/** Lets the client go that has been idle for longest; false where every one is being answered. */
function evictIdle(clients: Set<Client>): boolean {
  let oldest: Client | undefined;
  for (const client of clients) {
    if (client.idleSince === undefined) continue;
    if (oldest?.idleSince === undefined || client.idleSince < oldest.idleSince) oldest = client;
  }
  if (oldest === undefined) return false;
  clients.delete(oldest);
  oldest.socket.destroy();
  return true;
}

function tooManyClients(max: number): AgentdError {
  return new AgentdError("unavailable", "connect", `${max} clients are being served`, {
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
    server.listen({ path, backlog: 511 });
  } finally {
    process.umask(mask);
  }
  await listening;
  chmodSync(path, MODE);
}
