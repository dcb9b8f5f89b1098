import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import {
  createServer as createHttpServer,
  type IncomingMessage,
  type ServerResponse,
} from "node:http";
import { createServer as createHttpsServer } from "node:https";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Granted } from "../protocol/access.js";
import { parseAuthority } from "../protocol/host-name.js";
import { serveEgress } from "../sandbox/egress/serve.js";
import type {
  Egress,
  EgressEvent,
  EgressOptions,
  EgressQuotas,
  Judge,
} from "../sandbox/egress/types.js";

export const QUOTAS: EgressQuotas = {
  max_connections: 32,
  max_bytes: 1 << 30,
  idle_ms: 10_000,
  connect_ms: 5_000,
  total_ms: 60_000,
};

/** What a test grants: a host or `HOST:PORT`, and whether token and policy name it. Mutable: tests revoke. */
export type Grants = Map<string, "named" | "wildcard">;

export function judgeOf(grants: Grants): Judge {
  return (host, port) => {
    const found = grants.get(`${host}:${port}`) ?? grants.get(host);
    if (found === undefined) {
      const capability = `network: ${host}:${port}`;
      return {
        ok: false,
        denial: { layer: "token", message: `${host}:${port} is not granted`, capability },
      };
    }
    // Stands in for policy/decide.ts, the only place that makes such a proof outside tests.
    const granted = { kind: "network", host, port } as Granted<"network">;
    return { ok: true, granted, named: found === "named" };
  };
}

export interface EgressWorld {
  readonly grants: Grants;
  readonly events: EgressEvent[];
  readonly names: Map<string, readonly string[]>;
  readonly lookups: string[];
  /** Names whose look-up never comes back. */
  readonly pending: Set<string>;
  readonly egress: Egress;
  /** Where the proxy, capture and DNS-over-TCP listeners are. */
  readonly proxyPort: number;
  readonly httpPort: number;
  readonly httpsPort: number;
  readonly dnsPort: number;
  readonly close: () => Promise<void>;
}

/** An egress proxy on plain loopback listeners, with names and grants that the test chooses. */
export async function egressWorld(
  change: Partial<
    Pick<EgressOptions, "quotas" | "upstream" | "ownAddresses" | "judgeAddress">
  > = {},
): Promise<EgressWorld> {
  const grants: Grants = new Map();
  const events: EgressEvent[] = [];
  const names = new Map<string, readonly string[]>();
  const lookups: string[] = [];
  const pending = new Set<string>();
  const servers = await Promise.all(
    [1, 2, 3, 4].map(() => listenOn(createServer({ allowHalfOpen: true }), "0.0.0.0")),
  );
  const [proxy, http, https, dns] = servers;
  if (!proxy || !http || !https || !dns) throw new Error("no listener");
  const egress = serveEgress({
    listeners: {
      proxy: { server: proxy },
      http: { server: http },
      https: { server: https },
      dns_tcp: { server: dns },
    },
    judge: judgeOf(grants),
    resolve: (name) => {
      lookups.push(name);
      if (pending.has(name)) return new Promise(() => undefined);
      const found = names.get(name);
      return found === undefined ? Promise.reject(new Error("ENOTFOUND")) : Promise.resolve(found);
    },
    report: (event) => events.push(event),
    quotas: QUOTAS,
    ownAddresses: () => [],
    ...change,
  });
  const [proxyPort, httpPort, httpsPort, dnsPort] = servers.map(portOf);
  return {
    ...{ grants, events, names, lookups, pending, egress },
    proxyPort: proxyPort ?? 0,
    httpPort: httpPort ?? 0,
    httpsPort: httpsPort ?? 0,
    dnsPort: dnsPort ?? 0,
    close: () => egress.close(),
  };
}

/** A server's port. */
export function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}

export async function listenOn<S extends Server>(server: S, host = "127.0.0.1"): Promise<S> {
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  return server;
}

export interface Certificate {
  readonly key: string;
  readonly cert: string;
  readonly caFile: string;
  readonly remove: () => void;
}

/** A self-signed certificate for these names, made by openssl in a temporary directory. */
export function certificateFor(...names: readonly string[]): Certificate {
  const dir = mkdtempSync(join(tmpdir(), "aaos-egress-"));
  const [key, cert] = [join(dir, "key.pem"), join(dir, "cert.pem")];
  const san = names.map((name) => `DNS:${name}`).join(",");
  const what = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  const where = ["-keyout", key, "-out", cert, "-days", "2"];
  const who = ["-subj", `/CN=${names[0] ?? "test"}`, "-addext", `subjectAltName=${san}`];
  execFileSync("openssl", ["req", ...what, ...where, ...who], { stdio: "ignore" });
  const read = (path: string) => readFileSync(path, "utf8");
  const remove = () => rmSync(dir, { recursive: true, force: true });
  return { key: read(key), cert: read(cert), caFile: cert, remove };
}

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

export function httpServer(handler: Handler): Promise<Server> {
  return listenOn(createHttpServer(handler));
}

export function httpsServer(certificate: Certificate, handler: Handler): Promise<Server> {
  return listenOn(createHttpsServer({ key: certificate.key, cert: certificate.cert }, handler));
}

/** A forward proxy of the operator's: takes CONNECT and leads each `HOST:PORT` where the test says. */
export async function upstreamProxy(
  routes: ReadonlyMap<string, number>,
): Promise<{ readonly server: Server; readonly asked: string[] }> {
  const asked: string[] = [];
  const server = createServer({ allowHalfOpen: true }, (client) => {
    client.on("error", () => undefined);
    client.once("data", (head: Buffer) => {
      const authority = head.toString("latin1").split(" ")[1] ?? "";
      asked.push(authority);
      const port = parseAuthority(authority) === undefined ? undefined : routes.get(authority);
      if (port === undefined) return client.end("HTTP/1.1 502 Bad Gateway\r\n\r\n");
      const target = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
      target.on("error", () => client.destroy());
      target.once("connect", () => client.write("HTTP/1.1 200 OK\r\n\r\n"));
      client.pipe(target).pipe(client);
      return undefined;
    });
  });
  return { server: await listenOn(server), asked };
}

/** Sends bytes and gives back all that comes until the other side ends or resets. */
export function exchangeBytes(
  port: number,
  bytes: string | Buffer,
  host = "127.0.0.1",
): Promise<string> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    const socket: Socket = connect({ port, host });
    socket.on("data", (chunk: Buffer) => chunks.push(chunk));
    socket.on("error", () => undefined);
    socket.on("close", () => resolve(Buffer.concat(chunks).toString("latin1")));
    socket.write(bytes);
  });
}
