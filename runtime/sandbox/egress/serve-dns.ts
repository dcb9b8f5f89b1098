import { createSocket, type Socket as UdpSocket } from "node:dgram";
import { isIP } from "node:net";
import type { EgressContext } from "./context.js";
import type { FakeAddresses } from "./fake-addresses.js";
import type { Flow } from "./flow.js";
import { dnsAnswer, dnsError, MAX_QUERY_BYTES, parseDnsQuery } from "./parse-dns.js";
import { bad, done, MORE, type Parsed } from "./parsed.js";

/** The ports on which a captured name can be used. */
const CAPTURED_PORTS = [443, 80];

/**
 * The answer to one message, or undefined where it deserves none. Only granted names have addresses, and those lead to the
 * capture listeners of the same sandbox; nothing is ever asked outside, so that no name carries anything out.
 */
function answerDns(
  context: EgressContext,
  names: FakeAddresses,
  message: Buffer,
): Buffer | undefined {
  const parsed = parseDnsQuery(message);
  switch (parsed.kind) {
    case "drop":
      return undefined;
    case "malformed":
      refuseName(context, "", "malformed", "a DNS query is malformed");
      return dnsError(parsed.id, parsed.rcode);
    case "query":
      break;
  }
  const { query } = parsed;
  if (query.name === null || isIP(query.name) !== 0) {
    refuseName(context, "", "malformed", "a DNS query asks for no host name");
    return dnsAnswer(query, "REFUSED");
  }
  if (query.type === null) {
    const text = "a DNS query asks for something else than an address";
    refuseName(context, query.name, "unsupported", text);
    return dnsAnswer(query, "REFUSED");
  }
  const { name, type } = query;
  const verdicts = CAPTURED_PORTS.map((port) => context.judge(name, port, "probe"));
  if (verdicts.some((verdict) => verdict.ok)) {
    const address = type === "A" ? names.addressOf(name) : undefined;
    reportName(context, name);
    return dnsAnswer(query, "NOERROR", address);
  }
  const [verdict] = verdicts;
  if (verdict !== undefined && !verdict.ok) {
    const { denial } = verdict;
    const { message: text } = denial;
    const what = {
      via: "dns",
      host: name,
      port: 0,
      verdict: "refused",
      reason: "not_granted",
    } as const;
    context.report({ ...what, message: text, denial });
  }
  return dnsAnswer(query, "REFUSED");
}

/** Answers on a bound UDP socket until it is closed. */
export function serveDnsUdp(
  context: EgressContext,
  names: FakeAddresses,
  fd: number,
  onError: (error: Error) => void,
): UdpSocket {
  const socket = createSocket("udp4");
  socket.on("error", onError);
  socket.on("message", (message, peer) => {
    const answer = answerDns(context, names, message);
    if (answer !== undefined) socket.send(answer, peer.port, peer.address, () => undefined);
  });
  socket.bind({ fd });
  return socket;
}

/** DNS over TCP: messages with their length in two bytes before them, one after the other. */
export async function serveDnsTcp(
  context: EgressContext,
  flow: Flow,
  names: FakeAddresses,
): Promise<void> {
  for (;;) {
    const read = await flow.reader.until(parseFrame, flow.signal);
    if (read.kind !== "done") return flow.close();
    flow.touch();
    const answer = answerDns(context, names, read.value);
    if (answer === undefined) return flow.close();
    const length = Buffer.alloc(2);
    length.writeUInt16BE(answer.length);
    // A client that does not read its answers does not get to ask more.
    if (!flow.client.write(Buffer.concat([length, answer]))) return flow.close();
  }
}

function parseFrame(bytes: Buffer): Parsed<Buffer> {
  if (bytes.length < 2) return MORE;
  const length = bytes.readUInt16BE(0);
  if (length > MAX_QUERY_BYTES) return bad("a DNS message is too large");
  return bytes.length < 2 + length ? MORE : done(bytes.subarray(2, 2 + length), 2 + length);
}

function reportName(context: EgressContext, host: string): void {
  const message = `${host} is granted`;
  context.report({ via: "dns", host, port: 0, verdict: "allowed", reason: "granted", message });
}

function refuseName(
  context: EgressContext,
  host: string,
  reason: "malformed" | "unsupported",
  message: string,
): void {
  const denial = { layer: "egress", message } as const;
  context.report({ via: "dns", host, port: 0, verdict: "refused", reason, message, denial });
}
