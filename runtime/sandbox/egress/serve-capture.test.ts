import { execFile } from "node:child_process";
import type { Server } from "node:net";
import { promisify } from "node:util";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import {
  type Certificate,
  certificateFor,
  type EgressWorld,
  egressWorld,
  exchangeBytes,
  httpServer,
  httpsServer,
  portOf,
  upstreamProxy,
} from "../../test/egress-world.js";
import { dnsQuery } from "../../test/mutate.js";

const run = promisify(execFile);
let certificate: Certificate;
let servers: Server[];
let asked: string[];
let world: EgressWorld;

// Capture is about ports 80 and 443, which a test may not have: an upstream proxy leads them to real servers elsewhere.
beforeAll(async () => {
  certificate = certificateFor("granted.test", "other.test");
  const http = await httpServer((request, response) =>
    response.end(`plain ${request.headers.host} ${request.url}`),
  );
  const https = await httpsServer(certificate, (request, response) =>
    response.end(`secure ${request.headers.host} ${request.url}`),
  );
  servers = [http, https];
});
afterAll(() => {
  for (const server of servers) server.close();
  certificate.remove();
});
beforeEach(async () => {
  const [http, https] = servers.map(portOf);
  const routes = new Map([
    ["granted.test:80", http ?? 0],
    ["granted.test:443", https ?? 0],
  ]);
  const proxy = await upstreamProxy(routes);
  asked = proxy.asked;
  servers[2]?.close();
  servers[2] = proxy.server;
  world = await egressWorld({
    upstream: { host: "127.0.0.1", port: portOf(proxy.server), tls: false },
  });
  world.grants.set("granted.test", "named");
});
afterEach(() => world.close());

/** Asks the stub over TCP: the answer's code, and its address if it has one. */
async function ask(
  labels: readonly (string | Buffer)[],
  type = 1,
  qclass = 1,
): Promise<{ rcode: number; address?: string }> {
  const query = dnsQuery(labels, type, qclass);
  const end = Buffer.from([0, 0]);
  const frame = Buffer.concat([Buffer.from([query.length >> 8, query.length & 255]), query, end]);
  const answer = Buffer.from(await exchangeBytes(world.dnsPort, frame), "latin1").subarray(2);
  const rcode = (answer[3] ?? 0) & 15;
  return answer.readUInt16BE(6) === 0
    ? { rcode }
    : { rcode, address: answer.subarray(-4).join(".") };
}
const [NOERROR, REFUSED] = [0, 5];

async function curl(...args: string[]): Promise<{ stdout: string; code: number }> {
  const common = ["-sS", "--max-time", "8", "--noproxy", "*", "--cacert", certificate.caFile];
  try {
    return { ...(await run("curl", [...common, ...args], { env: {} })), code: 0 };
  } catch (error) {
    return error as { stdout: string; code: number };
  }
}

describe("the DNS stub", () => {
  it("T06 answers a granted name with a captured address and life 0, always the same", async () => {
    expect(await ask(["granted", "test"])).toEqual({ rcode: NOERROR, address: "127.1.0.1" });
    expect(await ask(["GRANTED", "Test"])).toEqual({ rcode: NOERROR, address: "127.1.0.1" });
    world.grants.set("other.test", "wildcard");
    expect(await ask(["other", "test"])).toEqual({ rcode: NOERROR, address: "127.1.0.2" });
    expect(world.lookups).toEqual([]);
  });

  it("T05 T06 refuses and reports any other name; nothing is asked outside", async () => {
    expect(await ask(["c2VjcmV0", "evil", "com"])).toEqual({ rcode: REFUSED });
    expect(world.events).toMatchObject([
      { via: "dns", host: "c2vjcmv0.evil.com", reason: "not_granted" },
    ]);
    expect(await ask(["secret", "granted", "test"])).toEqual({ rcode: REFUSED });
    expect(world.lookups).toEqual([]);
    expect(asked).toEqual([]);
  });

  it.each([
    [16, "TXT"],
    [10, "NULL"],
    [255, "ANY"],
    [2, "NS"],
    [5, "CNAME"],
    [252, "AXFR"],
    [12, "PTR"],
  ])("T06 refuses type %i (%s) even of a granted name", async (type) => {
    expect(await ask(["granted", "test"], type)).toEqual({ rcode: REFUSED });
    expect(world.events).toMatchObject([{ reason: "unsupported" }]);
  });

  it("T06 refuses another class than IN", async () => {
    expect(await ask(["granted", "test"], 1, 3)).toEqual({ rcode: REFUSED });
  });

  it.each([28, 64, 65])("has nothing to say of type %i, without an error", async (type) => {
    expect(await ask(["granted", "test"], type)).toEqual({ rcode: NOERROR });
    expect(await ask(["evil", "test"], type)).toEqual({ rcode: REFUSED });
  });

  it("refuses a name that is none", async () => {
    expect(await ask([Buffer.from("granted\0"), "test"])).toEqual({ rcode: REFUSED });
  });
});

describe("transparent capture", () => {
  it("carries HTTP of a client that knows no proxy", async () => {
    const { address } = await ask(["granted", "test"]);
    const via = ["--connect-to", `granted.test:80:${address}:${world.httpPort}`];
    const { stdout } = await curl(...via, "http://granted.test/a", "http://granted.test/b");
    expect(stdout).toBe("plain granted.test /aplain granted.test /b");
    expect(asked).toEqual(["granted.test:80", "granted.test:80"]);
    expect(world.events.at(-1)).toMatchObject({
      via: "capture",
      host: "granted.test",
      port: 80,
      verdict: "allowed",
    });
  });

  it("carries HTTPS of a client that knows no proxy", async () => {
    const { address } = await ask(["granted", "test"]);
    const via = ["--connect-to", `granted.test:443:${address}:${world.httpsPort}`];
    expect((await curl(...via, "https://granted.test/a")).stdout).toBe("secure granted.test /a");
    expect(asked).toEqual(["granted.test:443"]);
  });

  it("T10 resets a captured connection that asks for another name", async () => {
    const { address } = await ask(["granted", "test"]);
    const via = ["--connect-to", `other.test:443:${address}:${world.httpsPort}`];
    expect((await curl(...via, "https://other.test/")).code).not.toBe(0);
    expect(world.events.at(-1)).toMatchObject({ reason: "sni_mismatch", host: "granted.test" });
    const plain = ["--connect-to", `other.test:80:${address}:${world.httpPort}`];
    expect((await curl(...plain, "-i", "http://other.test/")).stdout).toContain("400 Bad Request");
  });

  it("resets what goes to an address that stands for no name", async () => {
    const via = ["--connect-to", `granted.test:443:127.1.9.9:${world.httpsPort}`];
    expect((await curl(...via, "https://granted.test/")).code).not.toBe(0);
    expect(world.events.at(-1)).toMatchObject({ via: "capture", reason: "not_granted", host: "" });
  });

  it("asks anew whether the name is still granted", async () => {
    const { address } = await ask(["granted", "test"]);
    world.grants.clear();
    const via = ["--connect-to", `granted.test:80:${address}:${world.httpPort}`];
    expect((await curl(...via, "-i", "http://granted.test/")).stdout).toContain("403 Forbidden");
    expect((await ask(["granted", "test"])).rcode).toBe(REFUSED);
  });
});

describe("ports 443 and 80", () => {
  const tunnel = (port: number, text: string) =>
    exchangeBytes(
      world.proxyPort,
      `CONNECT granted.test:${port} HTTP/1.1\r\nHost: granted.test:${port}\r\n\r\n${text}`,
    );

  it("carry TLS and HTTP through a tunnel", async () => {
    const via = ["--noproxy", "", "-x", `http://127.0.0.1:${world.proxyPort}`, "-p"];
    expect((await curl(...via, "https://granted.test/")).stdout).toBe("secure granted.test /");
    expect((await curl(...via, "http://granted.test/")).stdout).toBe("plain granted.test /");
  });

  it("443 carries nothing but TLS", async () => {
    await tunnel(443, "GET / HTTP/1.1\r\nHost: granted.test\r\n\r\n");
    expect(world.events.at(-1)).toMatchObject({ reason: "not_tls", verdict: "refused" });
    await tunnel(443, "SSH-2.0-x\r\n");
    expect(world.events.at(-1)).toMatchObject({ reason: "not_tls" });
  });

  it("80 carries nothing but HTTP", async () => {
    await tunnel(80, "SSH-2.0-x\r\n");
    expect(world.events.at(-1)).toMatchObject({ reason: "not_http" });
    await tunnel(80, "\x16\x03\x01\x00\x05hello");
    expect(world.events.at(-1)).toMatchObject({ reason: "not_http" });
  });
});

describe("the operator's proxy", () => {
  it("is not asked for an address that the guard refuses", async () => {
    world.grants.set("private.test", "wildcard");
    world.names.set("private.test", ["10.0.0.1"]);
    const via = ["--noproxy", "", "-x", `http://127.0.0.1:${world.proxyPort}`];
    expect((await curl(...via, "-i", "http://private.test/")).stdout).toContain("403 Forbidden");
    expect(asked).toEqual([]);
  });

  it("whose refusal is told as the host being unreachable", async () => {
    world.grants.set("elsewhere.test", "named");
    const via = ["--noproxy", "", "-x", `http://127.0.0.1:${world.proxyPort}`];
    const { stdout } = await curl(...via, "-i", "http://elsewhere.test/");
    expect(stdout).toContain("502 Bad Gateway");
    expect(stdout).toContain("the upstream proxy answered 502");
  });
});
