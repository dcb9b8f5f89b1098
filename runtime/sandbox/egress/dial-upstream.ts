import { connect as connectTcp, isIP, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { authorityText } from "../../protocol/host-name.js";
import type { Target } from "./parse-connect.js";
import { bad, done, MORE, type Parsed } from "./parsed.js";
import { SocketReader } from "./socket-reader.js";
import type { UpstreamProxy } from "./types.js";

const MAX_REPLY_BYTES = 16_384;

/**
 * A tunnel to `target` through the operator's own proxy. The name is sent as it was granted and that proxy resolves it: its
 * operator decides then what the name means. Rejects when refused, unreachable or aborted.
 */
export async function dialUpstream(
  proxy: UpstreamProxy,
  target: Target,
  signal: AbortSignal,
): Promise<Socket> {
  const socket = await open(proxy, signal);
  const authority = authorityText(target.host, target.port);
  const auth =
    proxy.authorization === undefined ? "" : `Proxy-Authorization: ${proxy.authorization}\r\n`;
  socket.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n${auth}\r\n`);
  const reader = new SocketReader(socket);
  const reply = await reader.until(parseReply, signal);
  if (reply.kind === "done" && reply.value >= 200 && reply.value < 300) {
    // A server that speaks first may already have been heard.
    const rest = reader.take();
    if (rest.length > 0) socket.unshift(rest);
    return socket;
  }
  socket.destroy();
  throw new Error(
    reply.kind === "done"
      ? `the upstream proxy answered ${reply.value}`
      : "the upstream proxy gave no answer",
  );
}

function open(proxy: UpstreamProxy, signal: AbortSignal): Promise<Socket> {
  const { host, port } = proxy;
  const socket = proxy.tls
    ? connectTls({ host, port, ...(isIP(host) === 0 ? { servername: host } : {}) })
    : connectTcp({ host, port, allowHalfOpen: true, noDelay: true });
  return new Promise((resolve, reject) => {
    const onAbort = () => socket.destroy(new Error("the upstream proxy did not answer in time"));
    signal.addEventListener("abort", onAbort);
    socket.on("error", reject);
    socket.once("close", () => signal.removeEventListener("abort", onAbort));
    socket.once(proxy.tls ? "secureConnect" : "connect", () => {
      signal.removeEventListener("abort", onAbort);
      resolve(socket);
    });
    if (signal.aborted) onAbort();
  });
}

/** The status of a CONNECT reply. What comes behind its head belongs to the tunnel. */
function parseReply(bytes: Buffer): Parsed<number> {
  const end = bytes.indexOf("\r\n\r\n");
  if (end === -1)
    return bytes.length > MAX_REPLY_BYTES ? bad("the upstream proxy's reply is too large") : MORE;
  const status = /^HTTP\/1\.[01] (\d{3})/.exec(bytes.toString("latin1", 0, end));
  return status === null
    ? bad("the upstream proxy's reply is malformed")
    : done(Number(status[1]), end + 4);
}
