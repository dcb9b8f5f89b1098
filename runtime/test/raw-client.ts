import { once } from "node:events";
import { createConnection, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { errnoOf } from "../base/error-text.js";

/** A socket with the lines that came so far: for tests that say exactly what goes over the wire. */
export interface RawClient extends Disposable {
  readonly socket: Socket;
  readonly send: (data: string | Uint8Array) => void;
  readonly request: (method: string, params?: unknown, id?: string | number) => void;
  /** The next line as JSON; undefined once the connection has closed. */
  readonly next: () => Promise<Answer | undefined>;
  /** All lines until the connection has closed. */
  readonly rest: () => Promise<Answer[]>;
}

/** Loose on purpose: a test looks at what is there. */
export interface Answer {
  readonly id?: string | number | null;
  readonly result?: Record<string, unknown>;
  readonly error?: {
    readonly code: number;
    readonly message: string;
    readonly data: { readonly kind: string; readonly op?: string; readonly hint?: string };
  };
  readonly kind?: string;
  readonly [key: string]: unknown;
}

export async function rawClient(socketPath: string): Promise<RawClient> {
  const socket = await connected(socketPath);
  const lines: Answer[] = [];
  let held = "";
  let closed = false;
  let wake = () => {};
  socket.setEncoding("utf8");
  socket.on("data", (chunk: string) => {
    const parts = (held + chunk).split("\n");
    held = parts.pop() ?? "";
    for (const part of parts) if (part !== "") lines.push(JSON.parse(part) as Answer);
    wake();
  });
  socket.on("error", () => {});
  for (const event of ["end", "close"]) {
    socket.on(event, () => {
      closed = true;
      wake();
    });
  }
  const next = async (): Promise<Answer | undefined> => {
    while (lines.length === 0 && !closed) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    return lines.shift();
  };
  return {
    socket,
    send: (data) => socket.write(data),
    request: (method, params = {}, id = 1) =>
      socket.write(`${JSON.stringify({ jsonrpc: "2.0", id, method, params })}\n`),
    next,
    rest: async () => {
      const all: Answer[] = [];
      for (let line = await next(); line !== undefined; line = await next()) all.push(line);
      return all;
    },
    [Symbol.dispose]: () => socket.destroy(),
  };
}

/**
 * A full accept queue answers EAGAIN (connect(2), unix(7)): a daemon that is alive and behind. A client that floods it waits for its
 * turn, at most ten seconds; any other failure is thrown as it is.
 */
async function connected(path: string): Promise<Socket> {
  const giveUpAt = performance.now() + 10_000;
  for (;;) {
    const socket = createConnection({ path, allowHalfOpen: true });
    try {
      await once(socket, "connect");
      return socket;
    } catch (thrown) {
      if (errnoOf(thrown) !== "EAGAIN" || performance.now() > giveUpAt) throw thrown;
      await sleep(5);
    }
  }
}
