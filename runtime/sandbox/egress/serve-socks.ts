import { admit } from "./admit.js";
import { type EgressContext, NO_TARGET, refuse } from "./context.js";
import type { Flow } from "./flow.js";
import {
  parseSocksGreeting,
  parseSocksRequest,
  SOCKS_VERSION,
  type SocksReply,
  socksReply,
} from "./parse-socks.js";
import { carryTunnel } from "./tunnel.js";
import type { EgressReason } from "./types.js";

const NO_AUTHENTICATION = Buffer.from([SOCKS_VERSION, 0]);
const NO_ACCEPTABLE_METHOD = Buffer.from([SOCKS_VERSION, 0xff]);

/** SOCKS5 (RFC 1928) without authentication, CONNECT only: whoever reaches the listener is who it belongs to. */
export async function serveSocks(context: EgressContext, flow: Flow): Promise<void> {
  flow.via = "socks";
  const greeting = await flow.reader.until(parseSocksGreeting, flow.signal);
  if (greeting.kind === "end") return flow.close();
  if (greeting.kind === "bad" || !greeting.value.acceptable) {
    const message =
      greeting.kind === "bad" ? greeting.reason : "SOCKS authentication is not spoken";
    refuse(context, flow, NO_TARGET, "malformed", message);
    return hangUp(flow, NO_ACCEPTABLE_METHOD);
  }
  flow.client.write(NO_AUTHENTICATION);
  const request = await flow.reader.until(parseSocksRequest, flow.signal);
  flow.expect(0);
  if (request.kind === "end") return flow.close();
  if (request.kind === "bad") {
    refuse(context, flow, NO_TARGET, "malformed", request.reason);
    return hangUp(flow, socksReply("general_failure"));
  }
  const { command, target } = request.value;
  if (command !== "connect") {
    refuse(
      context,
      flow,
      target,
      "unsupported",
      "SOCKS carries TCP connections to the outside only",
    );
    return hangUp(flow, socksReply("command_not_supported"));
  }
  const admitted = await admit(context, flow, target);
  if (!admitted.ok) return hangUp(flow, socksReply(REPLIES[admitted.reason] ?? "general_failure"));
  flow.client.write(socksReply("succeeded"));
  await carryTunnel(context, flow, admitted);
}

function hangUp(flow: Flow, bytes: Buffer): void {
  flow.client.write(bytes);
  flow.close();
}

const REPLIES: Readonly<Partial<Record<EgressReason, SocksReply>>> = {
  not_granted: "not_allowed",
  forbidden_address: "not_allowed",
  unreachable: "connection_refused",
  unresolved: "host_unreachable",
  timeout: "host_unreachable",
};
