import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { connectionOptions } from "./parse-http-head.js";
import type { EgressReason } from "./types.js";

const STATUS: Readonly<Record<EgressReason, readonly [number, string]>> = {
  granted: [200, "OK"],
  not_granted: [403, "Forbidden"],
  forbidden_address: [403, "Forbidden"],
  host_mismatch: [400, "Bad Request"],
  malformed: [400, "Bad Request"],
  sni_mismatch: [403, "Forbidden"],
  sni_missing: [403, "Forbidden"],
  encrypted_client_hello: [403, "Forbidden"],
  not_tls: [400, "Bad Request"],
  not_http: [400, "Bad Request"],
  revoked: [403, "Forbidden"],
  closed: [503, "Service Unavailable"],
  quota: [503, "Service Unavailable"],
  unresolved: [502, "Bad Gateway"],
  unreachable: [502, "Bad Gateway"],
  timeout: [504, "Gateway Timeout"],
  unsupported: [501, "Not Implemented"],
};
/** Fields that concern one hop only (RFC 9110 section 7.6.1), and those that this hop writes itself. */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authentication-info",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** A refusal in words that a model or an operator can act on. The connection ends behind it. */
export function errorReply(reason: EgressReason, message: string): Buffer {
  const [status, phrase] = STATUS[reason];
  const body = Buffer.from(`aaOS egress: ${message}\n`, "utf8");
  const head =
    `HTTP/1.1 ${status} ${phrase}\r\nContent-Type: text/plain; charset=utf-8\r\n` +
    `Content-Length: ${body.length}\r\nX-Aaos-Egress: ${reason}\r\nConnection: close\r\n\r\n`;
  return Buffer.concat([Buffer.from(head, "latin1"), body]);
}

/** Fields without those that end at this hop: the fixed ones and what `Connection` names. Order and case stay. */
export function endToEnd(
  headers: readonly (readonly [string, string])[],
): readonly (readonly [string, string])[] {
  const named = new Set(connectionOptions(headers));
  return headers.filter(([name]) => {
    const key = name.toLowerCase();
    return !HOP_BY_HOP.has(key) && (!named.has(key) || key === "content-length" || key === "host");
  });
}

export type ReplyFraming = "none" | "length" | "chunked" | "until_close";

/** How the body of a response is delimited on its way to the client. */
export function replyFraming(
  response: IncomingMessage,
  method: string,
  version: "1.0" | "1.1",
): ReplyFraming {
  const status = response.statusCode ?? 0;
  if (method === "HEAD" || status === 204 || status === 304) return "none";
  if (
    response.headers["transfer-encoding"] === undefined &&
    response.headers["content-length"] !== undefined
  )
    return "length";
  return version === "1.1" ? "chunked" : "until_close";
}

/** The head of a response as it goes to the client. */
export function replyHead(
  response: IncomingMessage,
  framing: ReplyFraming,
  close: boolean,
): Buffer {
  const { rawHeaders } = response;
  const pairs = rawHeaders.flatMap((name, index) =>
    index % 2 === 0 ? [[name, rawHeaders[index + 1] ?? ""] as const] : [],
  );
  const kept = endToEnd(pairs).filter(
    ([name]) =>
      name.toLowerCase() !== "content-length" || framing === "length" || framing === "none",
  );
  const lines = kept.map(([name, value]) => `${name}: ${value}\r\n`);
  if (framing === "chunked") lines.push("Transfer-Encoding: chunked\r\n");
  lines.push(`Connection: ${close ? "close" : "keep-alive"}\r\n\r\n`);
  const status = `HTTP/1.1 ${response.statusCode ?? 502} ${response.statusMessage ?? ""}\r\n`;
  return Buffer.from(status + lines.join(""), "latin1");
}

/** Writes with back-pressure; false once the socket is gone. */
export async function writeAll(
  socket: Socket,
  bytes: Buffer,
  signal: AbortSignal,
): Promise<boolean> {
  if (signal.aborted || socket.destroyed) return false;
  if (socket.write(bytes)) return true;
  return new Promise((resolve) => {
    const settle = () => {
      socket.off("drain", settle).off("close", settle);
      signal.removeEventListener("abort", settle);
      resolve(!socket.destroyed && !signal.aborted);
    };
    socket.once("drain", settle).once("close", settle);
    signal.addEventListener("abort", settle);
  });
}
