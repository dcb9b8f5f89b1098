import { METHODS } from "node:http";
import { isIP } from "node:net";
import { type Admitted, reportAllowed } from "./admit.js";
import { type EgressContext, refuse } from "./context.js";
import type { Flow } from "./flow.js";
import { serveOriginHttp } from "./forward-http.js";
import { type ClientHello, parseClientHello, parseSecondHello } from "./parse-client-hello.js";
import { done, MORE, type Parsed } from "./parsed.js";
import { relay, relayDown, relayUp, sendUp } from "./relay.js";
import type { EgressReason } from "./types.js";

const HTTPS_PORT = 443;
const HTTP_PORT = 80;
const TLS_HANDSHAKE = 0x16;
const MAX_LINE_BYTES = 16_384;

type Opening = "tls" | "http" | "other";

/**
 * Carries a tunnel whose host was admitted, and of which the client has been told that it stands. Nothing goes upstream
 * before it is known what is said: TLS must ask for the granted name (all there is on port 443), HTTP is judged request by
 * request (all there is on port 80), and only another protocol on another port is passed as it is.
 */
export async function carryTunnel(
  context: EgressContext,
  flow: Flow,
  admitted: Admitted,
): Promise<void> {
  const { port } = admitted.target;
  flow.expect(context.quotas.connect_ms);
  const opening = await firstSpeaker(flow, admitted);
  if (opening === undefined) return flow.close();
  if (opening === "tls" && port !== HTTP_PORT) return carryTls(context, flow, admitted);
  if (port === HTTPS_PORT)
    return reject(context, flow, admitted, "not_tls", "only TLS is spoken on port 443");
  flow.expect(0);
  if (opening === "http") return serveOriginHttp(context, flow, admitted.target, admitted);
  if (port === HTTP_PORT)
    return reject(context, flow, admitted, "not_http", "only HTTP is spoken on port 80");
  reportAllowed(context, flow, admitted);
  await relay(context, flow, admitted.socket);
}

/** TLS from the first byte on, for a host whose name must be in the ClientHello. */
export async function carryTls(
  context: EgressContext,
  flow: Flow,
  admitted: Admitted,
): Promise<void> {
  const { socket } = admitted;
  flow.expect(context.quotas.connect_ms);
  const hello = await flow.reader.until(parseClientHello, flow.signal);
  flow.expect(0);
  if (hello.kind === "end") return flow.abort("malformed");
  if (hello.kind === "bad") return reject(context, flow, admitted, "not_tls", hello.reason);
  const fault = helloFault(hello.value, admitted);
  if (fault !== undefined) return reject(context, flow, admitted, ...fault);
  reportAllowed(context, flow, admitted);
  if (!sendUp(context, flow, socket, hello.raw)) return;
  await Promise.all([relayDown(context, flow, socket), afterHello(context, flow, admitted)]);
}

/** After a HelloRetryRequest the client says its name again: it must say the same one. */
async function afterHello(context: EgressContext, flow: Flow, admitted: Admitted): Promise<void> {
  const second = await flow.reader.until(parseSecondHello, flow.signal);
  if (second.kind === "bad") return reject(context, flow, admitted, "not_tls", second.reason);
  if (second.kind === "done" && second.value !== null) {
    const fault = helloFault(second.value, admitted);
    if (fault !== undefined) return reject(context, flow, admitted, ...fault);
    if (!sendUp(context, flow, admitted.socket, second.raw)) return;
  }
  await relayUp(context, flow, admitted.socket);
}

function helloFault(hello: ClientHello, admitted: Admitted): [EgressReason, string] | undefined {
  const { host } = admitted.target;
  if (hello.encrypted)
    return ["encrypted_client_hello", "an encrypted ClientHello hides which host is meant"];
  if (hello.earlyData) return ["sni_mismatch", "TLS early data may hide another ClientHello"];
  if (hello.serverName === null) {
    const isNamedAddress = isIP(host) !== 0 && admitted.named;
    return isNamedAddress ? undefined : ["sni_missing", "the ClientHello names no host"];
  }
  return hello.serverName === host
    ? undefined
    : ["sni_mismatch", `the ClientHello asks for ${hello.serverName}, granted is ${host}`];
}

/** What the client opens with; `other` where the server speaks first, undefined where nobody does. */
async function firstSpeaker(flow: Flow, admitted: Admitted): Promise<Opening | undefined> {
  const { port } = admitted.target;
  const waiting = new AbortController();
  const onServer = () => waiting.abort();
  const isOpaque = port !== HTTPS_PORT && port !== HTTP_PORT;
  if (isOpaque) admitted.socket.once("readable", onServer);
  flow.signal.addEventListener("abort", onServer);
  const opening = await flow.reader.until(parseOpening, waiting.signal);
  admitted.socket.off("readable", onServer);
  flow.signal.removeEventListener("abort", onServer);
  if (opening.kind === "done") return opening.value;
  return isOpaque && !flow.signal.aborted ? "other" : undefined;
}

/**
 * TLS by its first two bytes, HTTP by a known method and a first line that ends in its name. Empty lines before that are
 * looked through, because some servers forgive them (the strict parser will not). Consumes nothing.
 */
export function parseOpening(bytes: Buffer): Parsed<Opening> {
  const [first, second] = bytes;
  if (first === undefined) return MORE;
  if (first === TLS_HANDSHAKE) {
    if (second === undefined) return MORE;
    return done(second === 3 ? "tls" : "other", 0);
  }
  const text = bytes.toString("latin1", 0, MAX_LINE_BYTES).replace(/^[\r\n]+/, "");
  const isMethod = METHODS.some((method) =>
    `${method} `.startsWith(text.slice(0, method.length + 1)),
  );
  if (!isMethod) return done("other", 0);
  const end = text.indexOf("\n");
  if (end === -1) return bytes.length >= MAX_LINE_BYTES ? done("other", 0) : MORE;
  return done(/ HTTP\/\d[.\d]*\s*$/i.test(text.slice(0, end)) ? "http" : "other", 0);
}

function reject(
  context: EgressContext,
  flow: Flow,
  admitted: Admitted,
  reason: EgressReason,
  message: string,
): void {
  refuse(context, flow, admitted.target, reason, message);
  flow.abort(reason);
}
