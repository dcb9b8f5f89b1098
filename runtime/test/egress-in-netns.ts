// The daemon's side of a test in a real network namespace: serves listeners whose descriptors it was given (proxy, http, https,
// DNS over TCP, DNS over UDP, in this order), says "ready", and at the end of stdin prints its events.
import { setDefaultAutoSelectFamily } from "node:net";
import { serveEgress } from "../sandbox/egress/serve.js";
import type { EgressEvent } from "../sandbox/egress/types.js";
import {
  certificateFor,
  httpServer,
  httpsServer,
  judgeOf,
  portOf,
  QUOTAS,
  upstreamProxy,
} from "./egress-world.js";

setDefaultAutoSelectFamily(false);
const [proxy = 0, http = 0, https = 0, dnsTcp = 0, dnsUdp = 0] = process.argv.slice(2).map(Number);
const certificate = certificateFor("granted.test");
const plain = await httpServer((request, response) =>
  response.end(`plain ${request.headers.host}${request.url}`),
);
const secure = await httpsServer(certificate, (request, response) =>
  response.end(`secure ${request.headers.host}${request.url}`),
);
const routes = new Map([
  ["granted.test:80", portOf(plain)],
  ["granted.test:443", portOf(secure)],
]);
const upstream = await upstreamProxy(routes);
const events: EgressEvent[] = [];
const egress = serveEgress({
  listeners: {
    proxy: { fd: proxy },
    http: { fd: http },
    https: { fd: https },
    dns_tcp: { fd: dnsTcp },
    dns_udp: { fd: dnsUdp },
  },
  judge: judgeOf(new Map([["granted.test", "named"]])),
  resolve: () => Promise.reject(new Error("ENOTFOUND")),
  report: (event) => events.push(event),
  quotas: QUOTAS,
  ownAddresses: () => [],
  upstream: { host: "127.0.0.1", port: portOf(upstream.server), tls: false },
});
process.stdout.write(`ready ${certificate.caFile} ${portOf(plain)}\n`);
for await (const _ of process.stdin);
await egress.close();
for (const server of [plain, secure, upstream.server]) server.close();
certificate.remove();
process.stdout.write(`${JSON.stringify(events)}\n`);
process.exit(0);
