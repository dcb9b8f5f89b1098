import type { Socket } from "node:net";
import { AgentdError } from "../protocol/agentd-error.js";
import type { Caller } from "../protocol/caller.js";
import { type Frame, METHODS } from "../protocol/control.js";
import { MAX_REQUEST_BYTES, type RpcRequest } from "../protocol/rpc.js";
import type { Gate } from "./access.js";
import { asAgentdError, type ControlLog } from "./control-log.js";
import {
  describeIssues,
  failedFrame,
  formatError,
  formatFrame,
  formatResult,
  parseRequest,
} from "./frames.js";
import type { CallContext, Handlers } from "./handler.js";
import { readLines } from "./lines.js";
import { anyHandler, isMethod, isStreaming } from "./registry.js";
import { lingerAndClose, probeAfterHalfClose, writeText } from "./socket-io.js";

export interface ConnectionOptions {
  /** What this client may see, behind every method. */
  readonly handlers: Handlers;
  readonly gate: Gate;
  readonly peer: Caller;
  readonly log: ControlLog;
  /** A client that takes nothing for this long is cut off. */
  readonly stallMs: number;
  /** Aborts when the daemon closes. */
  readonly signal: AbortSignal;
  /** Told whenever the connection begins or ends to wait for a request. */
  readonly onWaiting: (waiting: boolean) => void;
}

/**
 * Serves one client until it is done or gone: requests one at a time, answers in their order; a streaming method is the last.
 * Reads on only after an answer was taken, so that neither side's buffer grows. Never throws.
 */
export async function serveConnection(socket: Socket, options: ConnectionOptions): Promise<void> {
  const gone = new AbortController();
  socket.once("close", () => gone.abort());
  socket.on("error", () => socket.destroy());
  const context: CallContext = {
    peer: options.peer,
    signal: AbortSignal.any([gone.signal, options.signal]),
  };
  try {
    const stream = await answerCalls(socket, options, context);
    if (stream !== undefined) await answerStream(socket, stream, options, context);
    socket.destroySoon();
  } catch (thrown) {
    await refuseRest(socket, thrown, options);
  }
}

/** Answers calls until the client is done or asks for a stream, which is given back. */
async function answerCalls(
  socket: Socket,
  options: ConnectionOptions,
  context: CallContext,
): Promise<RpcRequest | undefined> {
  options.onWaiting(true);
  // Not destroyed when left: a stream goes on writing to it.
  const chunks: AsyncIterable<Buffer> = socket.iterator({ destroyOnReturn: false });
  for await (const line of readLines(chunks, MAX_REQUEST_BYTES)) {
    options.onWaiting(false);
    const parsed = parseRequest(line);
    if (parsed.ok && isMethod(parsed.request.method) && isStreaming(parsed.request.method)) {
      return parsed.request;
    }
    const answer = parsed.ok
      ? await answerCall(parsed.request, options, context)
      : formatError(parsed.id, invalid(parsed.message), parsed.code);
    await writeText(socket, answer, options.stallMs);
    if (context.signal.aborted) return undefined;
    options.onWaiting(true);
  }
  return undefined;
}

async function answerCall(
  { id, method, params }: RpcRequest,
  options: ConnectionOptions,
  context: CallContext,
): Promise<string> {
  if (!isMethod(method)) {
    return formatError(
      id,
      new AgentdError("method_not_found", "call", `no method ${JSON.stringify(method)}`),
    );
  }
  const checked = METHODS[method].safeParse(params);
  if (!checked.success) return formatError(id, invalid(describeIssues(checked.error)), -32602);
  try {
    await options.gate(method, checked.data, context.peer);
    return formatResult(id, await anyHandler(options.handlers, method)(checked.data, context));
  } catch (thrown) {
    return formatError(id, asAgentdError(thrown, method, options.log));
  }
}

/** Sends the frames of a streaming method. Whatever goes wrong becomes an `end` frame. */
async function answerStream(
  socket: Socket,
  { method, params }: RpcRequest,
  options: ConnectionOptions,
  context: CallContext,
): Promise<void> {
  if (!isMethod(method)) return;
  const release = probeAfterHalfClose(socket);
  const send = (frame: Frame) => writeText(socket, formatFrame(frame), options.stallMs);
  try {
    const checked = METHODS[method].safeParse(params);
    if (!checked.success) throw invalid(describeIssues(checked.error));
    await options.gate(method, checked.data, context.peer);
    const frames = anyHandler(options.handlers, method)(
      checked.data,
      context,
    ) as AsyncIterable<Frame>;
    for await (const frame of frames) {
      await send(frame);
      if (context.signal.aborted) return;
    }
  } catch (thrown) {
    if (!context.signal.aborted) {
      await send(failedFrame(asAgentdError(thrown, method, options.log)));
    }
  } finally {
    release();
  }
}

/** The connection itself broke a rule (a line too long), or broke. What is still on its way is read and thrown away. */
async function refuseRest(
  socket: Socket,
  thrown: unknown,
  { stallMs }: ConnectionOptions,
): Promise<void> {
  if (socket.destroyed || !(thrown instanceof AgentdError)) {
    socket.destroy();
    return;
  }
  await writeText(socket, formatError(null, thrown), stallMs);
  lingerAndClose(socket);
}

function invalid(message: string): AgentdError {
  return new AgentdError("invalid_request", "read request", message);
}
