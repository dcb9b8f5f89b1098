import { admit } from "./admit.js";
import { type EgressContext, NO_TARGET, refuse } from "./context.js";
import type { Flow } from "./flow.js";
import { answerError, forward, readHead } from "./forward-http.js";
import { parseProxyRequest, type Target } from "./parse-connect.js";
import { SOCKS_VERSION } from "./parse-socks.js";
import { done, MORE } from "./parsed.js";
import { serveSocks } from "./serve-socks.js";
import { carryTunnel } from "./tunnel.js";

const ESTABLISHED = "HTTP/1.1 200 Connection established\r\n\r\n";

/** One connection to the proxy port: the first byte tells SOCKS5 from HTTP. */
export async function serveProxy(context: EgressContext, flow: Flow): Promise<void> {
  flow.expect(context.quotas.connect_ms);
  const first = await flow.reader.until(
    (bytes) => (bytes[0] === undefined ? MORE : done(bytes[0], 0)),
    flow.signal,
  );
  if (first.kind !== "done") return flow.close();
  if (first.value === SOCKS_VERSION) return serveSocks(context, flow);
  return serveHttpProxy(context, flow);
}

/** CONNECT, or absolute-URI requests one after the other, each judged for itself. */
async function serveHttpProxy(context: EgressContext, flow: Flow): Promise<void> {
  for (;;) {
    flow.via = "http";
    const head = await readHead(context, flow, NO_TARGET);
    if (head === undefined) return;
    flow.expect(0);
    const request = parseProxyRequest(head);
    if (request.kind === "bad" || request.kind === "mismatch") {
      const reason = request.kind === "bad" ? "malformed" : "host_mismatch";
      refuse(context, flow, NO_TARGET, reason, request.reason);
      return answerError(flow, reason, request.reason);
    }
    if (request.kind === "connect") return serveConnect(context, flow, request.target);
    if (!(await forward(context, flow, { head, ...request }))) return;
  }
}

async function serveConnect(context: EgressContext, flow: Flow, target: Target): Promise<void> {
  flow.via = "connect";
  const admitted = await admit(context, flow, target);
  if (!admitted.ok) return answerError(flow, admitted.reason, admitted.message);
  flow.client.write(ESTABLISHED);
  await carryTunnel(context, flow, admitted);
}
