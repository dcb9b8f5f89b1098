import { createServer, type Server, type Socket } from "node:net";
import { boundedReport } from "./bounded-report.js";
import { type EgressContext, NO_TARGET } from "./context.js";
import { fakeAddresses } from "./fake-addresses.js";
import { Flow } from "./flow.js";
import { serveCapturedHttp, serveCapturedHttps } from "./serve-capture.js";
import { serveDnsTcp, serveDnsUdp } from "./serve-dns.js";
import { serveProxy } from "./serve-proxy.js";
import type {
  Egress,
  EgressEvent,
  EgressOptions,
  EgressReason,
  EgressStats,
  EgressVia,
  StreamListener,
} from "./types.js";

type Serve = (context: EgressContext, flow: Flow) => Promise<void>;
/**
 * The way out of one sandbox: serves the listeners that were made inside its network namespace. Whoever can reach them is
 * the sandbox's own; there is no other identity. Owns the listeners and every connection until `close`.
 */
export function serveEgress(options: EgressOptions): Egress {
  const stats = emptyStats();
  const flows = new Set<Flow>();
  const context = countingContext(options, stats);
  const names = fakeAddresses();
  const { proxy, dns_tcp, dns_udp, http, https } = options.listeners;
  const accept = (via: EgressVia, serve: Serve) => (client: Socket) => {
    stats.accepted += 1;
    if (flows.size >= options.quotas.max_connections) {
      client.destroy();
      context.report({ via, host: "", port: 0, ...TOO_MANY });
      return;
    }
    void runFlow(context, flows, new Flow(client, via, options.quotas), serve);
  };
  const failed = (error: Error) =>
    context.report({ ...NO_LISTENER, message: `a listener failed: ${error.message}` });
  const wanted: readonly [StreamListener | undefined, EgressVia, Serve][] = [
    [proxy, "http", serveProxy],
    [dns_tcp, "dns", (shared, flow) => serveDnsTcp(shared, flow, names)],
    [http, "capture", (shared, flow) => serveCapturedHttp(shared, flow, names)],
    [https, "capture", (shared, flow) => serveCapturedHttps(shared, flow, names)],
  ];
  const servers = wanted.flatMap(([listener, via, serve]) =>
    listener === undefined ? [] : [listen(listener, accept(via, serve), failed)],
  );
  const udp = dns_udp === undefined ? undefined : serveDnsUdp(context, names, dns_udp.fd, failed);
  let closed: Promise<void> | undefined;
  return {
    stats: () => ({ ...stats, open: flows.size }),
    cut: () => cutRevoked(context, flows),
    close: () => {
      closed ??= closeAll(servers, flows, udp);
      return closed;
    },
  };
}

const NO_LISTENER = {
  via: "listener",
  host: "",
  port: 0,
  verdict: "failed",
  reason: "closed",
} as const;
const TOO_MANY = {
  verdict: "refused",
  reason: "quota",
  message: "too many connections at the same time",
  denial: { layer: "egress", message: "too many connections at the same time" },
} as const;

type Counters = { -readonly [K in keyof EgressStats]: EgressStats[K] };

function emptyStats(): Counters {
  const verdicts = { allowed: 0, refused: 0, failed: 0, cut: 0 };
  return { open: 0, accepted: 0, ...verdicts, bytes_up: 0, bytes_down: 0 };
}

function countingContext(options: EgressOptions, stats: Counters): EgressContext {
  const bounded = boundedReport(options.report, () => performance.now());
  const report = (event: EgressEvent) => {
    stats[event.verdict] += 1;
    bounded(event);
  };
  const spend = (direction: "up" | "down", bytes: number) => {
    const key = direction === "up" ? "bytes_up" : "bytes_down";
    stats[key] += bytes;
    return stats[key] <= options.quotas.max_bytes;
  };
  return { ...options, report, spend };
}

async function runFlow(
  context: EgressContext,
  flows: Set<Flow>,
  flow: Flow,
  serve: Serve,
): Promise<void> {
  flows.add(flow);
  flow.client.once("close", () => flows.delete(flow));
  flow.signal.addEventListener("abort", () => reportCut(context, flow));
  try {
    await serve(context, flow);
    flow.close();
  } catch {
    // Nothing a client or a server says may take the daemon down; the connection alone is lost.
    flow.abort("malformed");
  }
}

const CUT_TEXT: Readonly<Partial<Record<EgressReason, string>>> = {
  quota: "the byte quota is used up",
  timeout: "the connection was idle or open for too long",
  revoked: "the host is no longer granted",
};

/** A connection that ends by a limit or a revocation is a verdict too; other ends have been reported where they arose. */
function reportCut(context: EgressContext, flow: Flow): void {
  const reason = flow.reason;
  const text = reason === undefined ? undefined : CUT_TEXT[reason];
  if (reason === undefined || text === undefined) return;
  const { host, port } = flow.granted ?? NO_TARGET;
  const message = flow.granted === undefined ? "no request came in time" : text;
  context.report({ via: flow.via, host, port, verdict: "cut", reason, message });
}

/** Asks again, once for each host and port, and resets what no longer holds. */
function cutRevoked(context: EgressContext, flows: ReadonlySet<Flow>): void {
  const verdicts = new Map<string, boolean>();
  for (const flow of flows) {
    if (flow.granted === undefined) continue;
    const { host, port } = flow.granted;
    const key = `${host} ${port}`;
    const holds = verdicts.get(key) ?? context.judge(host, port, "probe").ok;
    verdicts.set(key, holds);
    if (!holds) flow.abort("revoked");
  }
}

function listen(
  listener: StreamListener,
  onConnection: (client: Socket) => void,
  onError: (error: Error) => void,
): Server {
  const server = "server" in listener ? listener.server : createServer({ allowHalfOpen: true });
  server.on("error", onError);
  server.on("connection", onConnection);
  if ("fd" in listener) server.listen({ fd: listener.fd });
  return server;
}

async function closeAll(
  servers: readonly Server[],
  flows: ReadonlySet<Flow>,
  udp: { close: () => void } | undefined,
): Promise<void> {
  const closed = servers.map(
    (server) =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
      }),
  );
  for (const flow of flows) flow.abort("closed");
  udp?.close();
  await Promise.all(closed);
}
