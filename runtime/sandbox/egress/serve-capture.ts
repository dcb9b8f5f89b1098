import { admit } from "./admit.js";
import { type EgressContext, NO_TARGET, refuse } from "./context.js";
import type { FakeAddresses } from "./fake-addresses.js";
import type { Flow } from "./flow.js";
import { serveOriginHttp } from "./forward-http.js";
import type { Target } from "./parse-connect.js";
import { carryTls } from "./tunnel.js";

/**
 * A connection of a client that knows no proxy: it was sent to a fake address by the DNS stub, and that address tells the
 * name. What is then said (Host, SNI) must be that name.
 */
export async function serveCapturedHttp(
  context: EgressContext,
  flow: Flow,
  names: FakeAddresses,
): Promise<void> {
  const target = capturedTarget(context, flow, names, 80);
  if (target !== undefined) await serveOriginHttp(context, flow, target);
}

export async function serveCapturedHttps(
  context: EgressContext,
  flow: Flow,
  names: FakeAddresses,
): Promise<void> {
  const target = capturedTarget(context, flow, names, 443);
  if (target === undefined) return;
  const admitted = await admit(context, flow, target);
  if (!admitted.ok) return flow.abort(admitted.reason);
  await carryTls(context, flow, admitted);
}

function capturedTarget(
  context: EgressContext,
  flow: Flow,
  names: FakeAddresses,
  port: number,
): Target | undefined {
  const host = names.nameOf(flow.client.localAddress?.replace(/^::ffff:/, "") ?? "");
  if (host !== undefined) return { host, port };
  const message = "the connection goes to an address that stands for no granted name";
  refuse(context, flow, { ...NO_TARGET, port }, "not_granted", message);
  flow.abort("not_granted");
  return undefined;
}
