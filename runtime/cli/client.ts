import { once } from "node:events";
import { createConnection, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { errnoOf, errorText } from "../base/error-text.js";
import { AgentdError } from "../protocol/agentd-error.js";
import type { Frame, METHODS, Method } from "../protocol/control.js";
import type { CallMethod, CallResult, StreamMethod } from "../protocol/control-results.js";
import { ERROR_CODES, type ErrorCode } from "../protocol/error-code.js";

/** More than any answer of the daemon; a line that goes on past it comes from something else. */
const MAX_LINE_CHARS = 256 * 1_048_576;
/** How long a caller waits to be let in, and how often it looks. */
const DOOR_WAIT_MS = 10_000;
const DOOR_LOOK_MS = 20;

export type MethodInput<M extends Method> = (typeof METHODS)[M]["_zod"]["input"];

/**
 * The daemon behind its socket. Every call is a connection of its own. The daemon's word is taken for what a method gives: its schemas
 * would be most of the start of this program (adr/0026). Only that it is an answer at all is looked at, and what was heard is kept: a
 * verb that stumbles over it has it checked (check-heard.ts).
 */
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

/** An answer whose form nobody has looked at. */
export interface Heard {
  readonly method: CallMethod;
  readonly result: unknown;
}

/** `heard` collects the answers. */
export function connectTo(socketPath: string, heard: Heard[] = []): Client {
  return {
    call: async (method, params, signal) => {
      using socket = await connect(socketPath, signal);
      request(socket.stream, method, params);
      for await (const line of jsonLines(socket.stream)) {
        const result = resultOf(method, line);
        heard.push({ method, result });
        return result;
      }
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

// The types are the schemas' own, on the daemon's word.
function resultOf<M extends CallMethod>(method: M, line: unknown): CallResult<M> {
  if (!isRecord(line)) throw lost("the daemon's answer is no JSON-RPC");
  if ("error" in line) throw refusalOf(line["error"], method);
  if (!isRecord(line["result"])) throw lost(`the daemon's answer to ${method} is not understood`);
  return line["result"] as CallResult<M>;
}

function frameOf(line: unknown): Frame {
  if (isRecord(line) && typeof line["kind"] === "string") return line as Frame;
  if (isRecord(line) && "error" in line) throw refusalOf(line["error"], "follow");
  throw lost("the daemon sent a frame that is not understood");
}

function refusalOf(error: unknown, asked: string): AgentdError {
  if (!isRecord(error) || !isRecord(error["data"])) return lost("the daemon's refusal has no kind");
  const { kind, op, hint } = error["data"];
  return new AgentdError(
    codeOf(String(kind)),
    typeof op === "string" ? op : asked,
    String(error["message"]),
    typeof hint === "string" ? { hint } : {},
  );
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A kind of a newer daemon is none of ours: it counts as a failure of what was asked. */
function codeOf(kind: string): ErrorCode {
  return Object.hasOwn(ERROR_CODES, kind) ? (kind as ErrorCode) : "run_failed";
}

export function lost(message: string, cause?: unknown): AgentdError {
  return new AgentdError("connection_lost", "follow", message, { cause });
}
