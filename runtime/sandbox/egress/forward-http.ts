import { type ClientRequest, request as httpRequest, type IncomingMessage } from "node:http";
import { errorText } from "../../base/error-text.js";
import { authorityText } from "../../protocol/host-name.js";
import { type Admitted, admit, reportAllowed } from "./admit.js";
import { type EgressContext, refuse, spendBytes } from "./context.js";
import type { Flow } from "./flow.js";
import { endToEnd, errorReply, replyFraming, replyHead, writeAll } from "./http-reply.js";
import { parseOriginRequest, type Target } from "./parse-connect.js";
import { MAX_HEAD_BYTES, parseRequestHead, type RequestHead } from "./parse-http-head.js";
import { MalformedBody, requestBody } from "./request-body.js";

/** Written anew: the Host in its canonical form, so that the server reads the very name that was judged. */
const REWRITTEN: ReadonlySet<string> = new Set(["host", "expect", "content-length"]);

/** One plain HTTP request whose target is known. */
export interface ForwardRequest {
  readonly head: RequestHead;
  readonly target: Target;
  readonly path: string;
}

/**
 * Plain HTTP to one host on a connection that is already bound to it (a tunnel, or a captured port 80): each request must
 * name that host and is judged anew. `first` is the connection that the tunnel was admitted with; later requests dial again.
 */
export async function serveOriginHttp(
  context: EgressContext,
  flow: Flow,
  target: Target,
  first?: Admitted,
): Promise<void> {
  let admitted = first;
  for (;;) {
    const head = await readHead(context, flow, target);
    if (head === undefined) return;
    const request = parseOriginRequest(head, target);
    if (request.kind !== "forward") {
      const reason = request.kind === "bad" ? "malformed" : "host_mismatch";
      refuse(context, flow, target, reason, request.reason);
      return answerError(flow, reason, request.reason);
    }
    if (!(await forward(context, flow, { head, ...request }, admitted))) return;
    admitted = undefined;
  }
}

/** The next request head, or undefined where the connection is over; errors are answered and reported. */
export async function readHead(
  context: EgressContext,
  flow: Flow,
  target: Target,
): Promise<RequestHead | undefined> {
  const read = await flow.reader.until(parseRequestHead, flow.signal);
  flow.touch();
  if (read.kind === "done") return read.value;
  if (read.kind === "bad") {
    refuse(context, flow, target, "malformed", read.reason);
    answerError(flow, "malformed", read.reason);
  } else flow.close();
  return undefined;
}

export function answerError(
  flow: Flow,
  reason: Parameters<typeof errorReply>[0],
  text: string,
): void {
  flow.client.write(errorReply(reason, text));
  flow.close();
}

/**
 * Carries out one request: judged, sent in origin form with its body framed anew, the answer framed anew on its way back, so
 * that no two parsers can disagree about where a message ends. True where the connection can take another request.
 */
export async function forward(
  context: EgressContext,
  flow: Flow,
  request: ForwardRequest,
  first?: Admitted,
): Promise<boolean> {
  const admitted = first ?? (await admit(context, flow, request.target));
  if (!admitted.ok) {
    answerError(flow, admitted.reason, admitted.message);
    return false;
  }
  reportAllowed(context, flow, admitted);
  if (!spendBytes(context, flow, "up", headBytes(request.head))) return false;
  const outgoing = startRequest(request, admitted);
  let fault: unknown;
  try {
    const response = responseOf(outgoing);
    // An early answer must be heard while the body is still going out.
    const sent = sendBody(context, flow, request.head, outgoing).then(
      () => true,
      (error: unknown) => {
        fault = error;
        outgoing.destroy();
        return false;
      },
    );
    const isOpen = await sendReply(context, flow, request.head, await response);
    return isOpen && (await Promise.race([sent, Promise.resolve(false)]));
  } catch (error) {
    if (!flow.signal.aborted) answerFault(context, flow, request.target, fault ?? error);
    return false;
  } finally {
    admitted.socket.destroy();
  }
}

/** A head carries data out as well as a body does. */
function headBytes(head: RequestHead): number {
  return head.headers.reduce(
    (sum, [name, value]) => sum + name.length + value.length,
    head.target.length,
  );
}

function answerFault(context: EgressContext, flow: Flow, target: Target, fault: unknown): void {
  if (fault instanceof MalformedBody) {
    refuse(context, flow, target, "malformed", fault.message);
    answerError(flow, "malformed", fault.message);
    return;
  }
  const message = `${target.host} broke off: ${errorText(fault)}`;
  const what = { verdict: "failed", reason: "unreachable", message } as const;
  context.report({ via: flow.via, ...target, ...what });
  answerError(flow, "unreachable", message);
}

function startRequest(request: ForwardRequest, admitted: Admitted): ClientRequest {
  const { head, path } = request;
  const outgoing = httpRequest({
    createConnection: () => admitted.socket,
    method: head.method,
    path,
    setHost: false,
    maxHeaderSize: MAX_HEAD_BYTES,
  });
  const { host, port } = request.target;
  outgoing.setHeader(
    "Host",
    port === 80 ? authorityText(host, port).replace(/:80$/, "") : authorityText(host, port),
  );
  for (const [name, value] of endToEnd(head.headers)) {
    if (REWRITTEN.has(name.toLowerCase())) continue;
    outgoing.appendHeader(name, value);
  }
  if (head.body.kind === "length") outgoing.setHeader("Content-Length", head.body.bytes);
  else if (head.body.kind === "chunked") outgoing.setHeader("Transfer-Encoding", "chunked");
  else outgoing.useChunkedEncodingByDefault = false;
  return outgoing;
}

function responseOf(outgoing: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    outgoing.once("response", resolve);
    outgoing.on("error", reject);
    // Nothing was asked to be upgraded: a server that does so all the same is not understood.
    outgoing.once("upgrade", () => reject(new Error("the server changed the protocol unasked")));
    outgoing.once("close", () => reject(new Error("the connection ended without an answer")));
  });
}

async function sendBody(
  context: EgressContext,
  flow: Flow,
  head: RequestHead,
  outgoing: ClientRequest,
): Promise<void> {
  const expects = head.headers.some(([name]) => name.toLowerCase() === "expect");
  if (expects && head.body.kind !== "none") flow.client.write("HTTP/1.1 100 Continue\r\n\r\n");
  for await (const part of requestBody(flow.reader, head.body, flow.signal)) {
    if (!spendBytes(context, flow, "up", part.length)) return;
    if (outgoing.destroyed) return;
    if (!outgoing.write(part)) await drained(outgoing);
  }
  outgoing.end();
}

function drained(outgoing: ClientRequest): Promise<void> {
  return new Promise((resolve) => {
    const settle = () => {
      outgoing.off("drain", settle).off("close", settle);
      resolve();
    };
    outgoing.once("drain", settle).once("close", settle);
  });
}

/** Writes the answer out; true where the client's connection stays usable. */
async function sendReply(
  context: EgressContext,
  flow: Flow,
  head: RequestHead,
  response: IncomingMessage,
): Promise<boolean> {
  const framing = replyFraming(response, head.method, head.version);
  const close = head.close || framing === "until_close";
  const send = (bytes: Buffer) => writeAll(flow.client, bytes, flow.signal);
  const answer = replyHead(response, framing, close);
  if (!spendBytes(context, flow, "down", answer.length) || !(await send(answer))) return false;
  try {
    for await (const part of response as AsyncIterable<Buffer>) {
      if (!spendBytes(context, flow, "down", part.length)) return false;
      const size = Buffer.from(`${part.length.toString(16)}\r\n`, "latin1");
      const bytes = framing === "chunked" ? Buffer.concat([size, part, Buffer.from("\r\n")]) : part;
      if (framing !== "none" && !(await send(bytes))) return false;
    }
  } catch {
    // The head is out: the only honest way to say that the body is cut short is to break the connection.
    flow.abort("unreachable");
    return false;
  }
  if (framing === "chunked" && !(await send(Buffer.from("0\r\n\r\n", "latin1")))) return false;
  if (close) flow.close();
  return !close;
}
