import { once } from "node:events";
import { createConnection, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { errnoOf } from "../base/error-text.js";
import { Frame } from "../protocol/control.js";
import { RESULTS } from "../protocol/control-results.js";
import { RpcResponse } from "../protocol/rpc.js";

/**
 * A socket with the lines that came so far: for tests that say exactly what goes over the wire. What comes back is held against the
 * schemas of the protocol, which the operator's program does not load.
 */
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
  const asked = new Map<unknown, string>();
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
    request: (method, params = {}, id = 1) => {
      asked.set(id, method);
      socket.write(`${JSON.stringify({ jsonrpc: "2.0", id, method, params })}\n`);
    },
    next: async () => {
      const line = await next();
      if (line !== undefined) hold(line, asked.get(line.id));
      return line;
    },
    rest: async () => {
      const all: Answer[] = [];
      for (let line = await next(); line !== undefined; line = await next()) {
        hold(line, asked.get(line.id));
        all.push(line);
      }
      return all;
    },
    [Symbol.dispose]: () => socket.destroy(),
  };
}

/** Throws where a line is neither a frame nor an answer that the protocol knows. */
function hold(line: Answer, method: string | undefined): void {
  if (line.kind !== undefined) {
    Frame.parse(line);
    return;
  }
  RpcResponse.parse(line);
  if (line.error !== undefined || method === undefined) return;
  if (Object.hasOwn(RESULTS, method)) RESULTS[method as keyof typeof RESULTS].parse(line.result);
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
