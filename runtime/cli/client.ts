import { once } from "node:events";
import { createConnection, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { errnoOf, errorText } from "../base/error-text.js";
import { AgentdError } from "../protocol/agentd-error.js";
import { Frame, type METHODS, type Method } from "../protocol/control.js";
import {
  type CallMethod,
  type CallResult,
  RESULTS,
  type StreamMethod,
} from "../protocol/control-results.js";
import { ERROR_CODES, type ErrorCode } from "../protocol/error-code.js";
import { RpcResponse } from "../protocol/rpc.js";

/** More than any answer of the daemon; a line that goes on past it comes from something else. */
const MAX_LINE_CHARS = 256 * 1_048_576;
/** How long a caller waits to be let in, and how often it looks. */
const DOOR_WAIT_MS = 10_000;
const DOOR_LOOK_MS = 20;

export type MethodInput<M extends Method> = (typeof METHODS)[M]["_zod"]["input"];

/** The daemon behind its socket. Every call is a connection of its own. */
export interface Client {
  /** Throws the daemon's refusal as an `AgentdError` of the same kind; `daemon_unreachable`, `permission_denied`, `connection_lost`. */
  readonly call: <M extends CallMethod>(
    method: M,
    params: MethodInput<M>,
    signal?: AbortSignal,
  ) => Promise<CallResult<M>>;
  /** Gives frames until `end`, which is the last, or until `signal` aborts. `connection_lost` where the end does not come. */
  readonly stream: <M extends StreamMethod>(
    method: M,
    params: MethodInput<M>,
    signal: AbortSignal,
  ) => AsyncGenerator<Frame>;
}

export function connectTo(socketPath: string): Client {
  return {
    call: async (method, params, signal) => {
      using socket = await connect(socketPath, signal);
      request(socket.stream, method, params);
      for await (const line of jsonLines(socket.stream)) return resultOf(method, line);
      throw lost(`the daemon closed the connection before it answered ${method}`);
    },
    stream: async function* (method, params, signal) {
      using socket = await connect(socketPath, signal);
      request(socket.stream, method, params);
      for await (const line of jsonLines(socket.stream)) {
        if (signal.aborted) return;
        const frame = frameOf(line);
        yield frame;
        if (frame.kind === "end") return;
      }
      if (!signal.aborted) throw lost("the daemon closed the connection before the end");
    },
  };
}

function request(stream: Socket, method: string, params: unknown): void {
  stream.write(`${JSON.stringify({ jsonrpc: "2.0", id: 1, method, params })}\n`);
}

/**
 * A connection to a socket of ours; throws `daemon_unreachable` or `permission_denied`. EAGAIN means that a daemon which is alive has
 * more callers at its door than it has let in (connect(2), unix(7)): this one waits for its turn.
 */
export async function connect(
  path: string,
  signal: AbortSignal | undefined,
): Promise<Disposable & { readonly stream: Socket }> {
  const giveUpAt = performance.now() + DOOR_WAIT_MS;
  for (;;) {
    try {
      return await connectOnce(path, signal);
    } catch (thrown) {
      if (errnoOf(thrown) !== "EAGAIN" || performance.now() > giveUpAt)
        throw unreachable(path, thrown);
      await sleep(DOOR_LOOK_MS, undefined, { signal });
    }
  }
}

async function connectOnce(
  path: string,
  signal: AbortSignal | undefined,
): Promise<Disposable & { readonly stream: Socket }> {
  const stream = createConnection({ path, ...(signal === undefined ? {} : { signal }) });
  await once(stream, "connect");
  stream.on("error", () => stream.destroy());
  return { stream, [Symbol.dispose]: () => stream.destroy() };
}

function unreachable(path: string, error: unknown): AgentdError {
  const errno = errnoOf(error);
  if (errno === "EACCES" || errno === "EPERM") {
    return new AgentdError("permission_denied", "connect", `may not use the socket ${path}`, {
      cause: error,
    });
  }
  const why =
    errno === "ENOENT"
      ? `no agentd runs here: there is no socket ${path}`
      : errno === "ECONNREFUSED"
        ? `no agentd answers on ${path}`
        : `cannot connect to ${path}: ${errorText(error)}`;
  return new AgentdError("daemon_unreachable", "connect", why, { cause: error });
}

/** The lines of the connection as JSON. Ends where it ends, however it does. */
export async function* jsonLines(stream: Socket): AsyncGenerator<unknown> {
  let held: string[] = [];
  let heldChars = 0;
  stream.setEncoding("utf8");
  for await (const chunk of endingQuietly(stream)) {
    const [first = "", ...others] = chunk.split("\n");
    held.push(first);
    heldChars += first.length;
    if (heldChars > MAX_LINE_CHARS) throw lost("the daemon's answer has no end");
    for (const next of others) {
      const line = held.join("");
      held = [next];
      heldChars = next.length;
      if (line.trim() !== "") yield parse(line);
    }
  }
}

async function* endingQuietly(stream: Socket): AsyncGenerator<string> {
  const chunks: AsyncIterable<string> = stream;
  try {
    yield* chunks;
  } catch {
    // Reset, or aborted: for the caller it is as if it had closed, and the caller knows what was missing.
  }
}

function parse(line: string): unknown {
  try {
    const value: unknown = JSON.parse(line);
    return value;
  } catch (cause) {
    throw lost("what answers on the socket does not speak JSON", cause);
  }
}

function resultOf<M extends CallMethod>(method: M, line: unknown): CallResult<M> {
  const response = RpcResponse.safeParse(line);
  if (!response.success) throw lost("the daemon's answer is no JSON-RPC", response.error);
  if ("error" in response.data) {
    const { message, data } = response.data.error;
    throw new AgentdError(codeOf(data.kind), data.op ?? method, message, {
      ...(data.hint === undefined ? {} : { hint: data.hint }),
    });
  }
  const result = RESULTS[method].safeParse(response.data.result);
  if (!result.success)
    throw lost(`the daemon's answer to ${method} is not understood`, result.error);
  // The schema was looked up by the same method, which the compiler cannot follow.
  return result.data as CallResult<M>;
}

function frameOf(line: unknown): Frame {
  const frame = Frame.safeParse(line);
  if (frame.success) return frame.data;
  const refused = RpcResponse.safeParse(line);
  if (refused.success && "error" in refused.data) {
    const { message, data } = refused.data.error;
    throw new AgentdError(codeOf(data.kind), data.op ?? "follow", message, {
      ...(data.hint === undefined ? {} : { hint: data.hint }),
    });
  }
  throw lost("the daemon sent a frame that is not understood", frame.error);
}

/** A kind of a newer daemon is none of ours: it counts as a failure of what was asked. */
function codeOf(kind: string): ErrorCode {
  return Object.hasOwn(ERROR_CODES, kind) ? (kind as ErrorCode) : "run_failed";
}

function lost(message: string, cause?: unknown): AgentdError {
  return new AgentdError("connection_lost", "follow", message, { cause });
}
