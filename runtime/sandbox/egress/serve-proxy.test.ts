import { execFile } from "node:child_process";
import { connect as connectTcp, createServer, type Server, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
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
  listenOn,
  portOf,
  QUOTAS,
} from "../../test/egress-world.js";

const run = promisify(execFile);

let certificate: Certificate;
let http: Server;
let https: Server;
let world: EgressWorld;
let httpPort: number;
let httpsPort: number;

beforeAll(async () => {
  certificate = certificateFor("granted.test", "other.test");
  http = await httpServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      if (request.url === "/redirect") {
        response.writeHead(302, { Location: `http://denied.test:${httpPort}/` }).end();
        return;
      }
      response.setHeader("X-Got", JSON.stringify(request.headers));
      response.end(`${request.method} ${request.url} ${Buffer.concat(chunks).length}`);
    });
  });
  https = await httpsServer(certificate, (request, response) => {
    response.end(`secure ${request.headers.host} ${request.url}`);
  });
  httpPort = portOf(http);
  httpsPort = portOf(https);
});
afterAll(() => {
  http.close();
  https.close();
  certificate.remove();
});
beforeEach(async () => {
  world = await egressWorld();
  world.names.set("granted.test", ["127.0.0.1"]);
  world.names.set("other.test", ["127.0.0.1"]);
  world.names.set("denied.test", ["127.0.0.1"]);
  world.grants.set("granted.test", "named");
});
afterEach(() => world.close());

/** curl through the proxy; a failure gives its exit code. */
async function curl(...args: string[]): Promise<{ stdout: string; stderr: string; code: number }> {
  const common = ["-sS", "--max-time", "8", "--cacert", certificate.caFile];
  try {
    return { ...(await run("curl", [...common, ...args], { env: {} })), code: 0 };
  } catch (error) {
    return error as { stdout: string; stderr: string; code: number };
  }
}
const viaHttp = () => ["-x", `http://127.0.0.1:${world.proxyPort}`];
const viaSocks = () => ["--socks5-hostname", `127.0.0.1:${world.proxyPort}`];
const last = () => world.events.at(-1);

describe("a granted host", () => {
  it("answers plain HTTP", async () => {
    const { stdout } = await curl(...viaHttp(), `http://granted.test:${httpPort}/a?b=c`);
    expect(stdout).toBe("GET /a?b=c 0");
    expect(world.events).toMatchObject([
      {
        via: "http",
        host: "granted.test",
        port: httpPort,
        verdict: "allowed",
        address: "127.0.0.1",
      },
    ]);
  });

  it("answers HTTPS through CONNECT", async () => {
    const { stdout } = await curl(...viaHttp(), `https://granted.test:${httpsPort}/x`);
    expect(stdout).toBe(`secure granted.test:${httpsPort} /x`);
    expect(world.events).toMatchObject([{ via: "connect", verdict: "allowed" }]);
  });

  it("answers HTTP and HTTPS through SOCKS5", async () => {
    const secure = await curl(...viaSocks(), `https://granted.test:${httpsPort}/x`);
    expect(secure.stdout).toBe(`secure granted.test:${httpsPort} /x`);
    const plain = await curl(...viaSocks(), `http://granted.test:${httpPort}/y`);
    expect(plain.stdout).toBe("GET /y 0");
    expect(world.events.map((event) => event.via)).toEqual(["socks", "socks"]);
  });

  it("gets request bodies with a length, in chunks, and after Expect: 100-continue", async () => {
    const url = `http://granted.test:${httpPort}/post`;
    const big = "x".repeat(100_000);
    const length = await curl(...viaHttp(), "-d", "hello", url);
    expect(length.stdout).toBe("POST /post 5");
    const chunked = await curl(...viaHttp(), "-H", "Transfer-Encoding: chunked", "-d", big, url);
    expect(chunked.stdout).toBe("POST /post 100000");
    const expecting = await curl(...viaHttp(), "-H", "Expect: 100-continue", "-d", big, url);
    expect(expecting.stdout).toBe("POST /post 100000");
  });

  it("does not see what concerns the proxy alone", async () => {
    const headers = [
      "-H",
      "Proxy-Authorization: Basic c2VjcmV0",
      "-H",
      "Connection: x-one",
      "-H",
      "X-One: 1",
      "-H",
      "X-Two: 2",
    ];
    const { stdout } = await curl(
      ...viaHttp(),
      "-D",
      "-",
      "-o",
      "/dev/null",
      ...headers,
      `http://granted.test:${httpPort}/`,
    );
    const got = JSON.parse(/X-Got: (.*)/.exec(stdout)?.[1] ?? "{}") as Record<string, string>;
    expect(got).toMatchObject({ host: `granted.test:${httpPort}`, "x-two": "2" });
    expect(Object.keys(got)).not.toContain("proxy-authorization");
    expect(Object.keys(got)).not.toContain("proxy-connection");
    expect(Object.keys(got)).not.toContain("x-one");
  });

  it("keeps the connection for several requests, each judged for itself", async () => {
    const url = `http://granted.test:${httpPort}`;
    const { stdout } = await curl(...viaHttp(), `${url}/1`, `${url}/2`, `${url}/3`);
    expect(stdout).toBe("GET /1 0GET /2 0GET /3 0");
    expect(world.egress.stats()).toMatchObject({ accepted: 1, allowed: 3 });
  });

  it("may speak first on another port, as SSH and SMTP do", async () => {
    const banner = await listenOn(createServer((socket) => socket.end("220 hello\r\n")));
    const reply = await exchangeBytes(
      world.proxyPort,
      `CONNECT granted.test:${portOf(banner)} HTTP/1.1\r\nHost: granted.test:${portOf(banner)}\r\n\r\n`,
    );
    expect(reply).toBe("HTTP/1.1 200 Connection established\r\n\r\n220 hello\r\n");
    banner.close();
  });

  it("may speak another protocol on another port", async () => {
    const echo = await listenOn(createServer((socket) => socket.pipe(socket)));
    const port = portOf(echo);
    const client = connectTcp(world.proxyPort, "127.0.0.1");
    client.write(`CONNECT granted.test:${port} HTTP/1.1\r\nHost: granted.test:${port}\r\n\r\n`);
    const text = await new Promise<string>((resolve) => {
      let all = "";
      client.on("data", (chunk: Buffer) => {
        all += chunk.toString();
        if (all.endsWith("\r\n\r\n")) client.end("\u0000binary");
      });
      client.on("close", () => resolve(all));
    });
    expect(text.endsWith("\u0000binary")).toBe(true);
    echo.close();
  });

  it("is reached at the first of its addresses that answers", async () => {
    world.names.set("granted.test", ["127.0.0.9", "127.0.0.1"]);
    const { stdout } = await curl(...viaHttp(), `http://granted.test:${httpPort}/`);
    expect(stdout).toBe("GET / 0");
    expect(last()?.address).toBe("127.0.0.1");
  });
});

describe("a host that is not granted", () => {
  it("is refused with the capability that would have allowed it, before any look-up", async () => {
    const { stdout } = await curl(...viaHttp(), "-i", `http://denied.test:${httpPort}/`);
    expect(stdout).toContain("403 Forbidden");
    expect(stdout).toContain(`denied.test:${httpPort} is not granted`);
    expect(last()).toMatchObject({
      verdict: "refused",
      reason: "not_granted",
      denial: { capability: `network: denied.test:${httpPort}` },
    });
    expect(world.lookups).toEqual([]);
  });

  it("is refused through CONNECT and SOCKS5 too", async () => {
    const connect = await curl(...viaHttp(), `https://denied.test:${httpsPort}/`);
    expect(connect).toMatchObject({ code: 56 });
    const socks = await curl(...viaSocks(), `https://denied.test:${httpsPort}/`);
    expect(socks).toMatchObject({ code: 97 });
    expect(world.events.map((event) => event.reason)).toEqual(["not_granted", "not_granted"]);
  });

  it("is refused on another port than the one granted", async () => {
    world.grants.clear();
    world.grants.set(`granted.test:${httpPort}`, "named");
    expect((await curl(...viaHttp(), `http://granted.test:${httpPort}/`)).stdout).toBe("GET / 0");
    expect((await curl(...viaHttp(), `https://granted.test:${httpsPort}/`)).code).toBe(56);
  });
});

describe("addresses", () => {
  it.each([
    ["169.254.169.254", "metadata"],
    ["[fd00:ec2::254]", "metadata"],
    ["100.100.100.200", "metadata"],
    ["168.63.129.16", "metadata"],
  ])("T07 the metadata service %s is refused under a wildcard", async (host, kind) => {
    world.grants.set(host.replace(/[[\]]/g, ""), "wildcard");
    const { stdout } = await curl(...viaHttp(), "-i", `http://${host}/`);
    expect(stdout).toContain("403 Forbidden");
    expect(stdout).toContain(kind);
    expect(last()).toMatchObject({ reason: "forbidden_address" });
  });

  it("T07 metadata.google.internal is refused for where it leads", async () => {
    world.grants.set("metadata.google.internal", "wildcard");
    world.names.set("metadata.google.internal", ["169.254.169.254"]);
    const { stdout } = await curl(...viaHttp(), "-i", "http://metadata.google.internal/");
    expect(stdout).toContain("403 Forbidden");
  });

  it.each([
    "127.0.0.1",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.1.1",
    "100.64.0.1",
    "::1",
    "fd12::1",
    "fe80::1",
    "0.0.0.0",
  ])("T08 a granted name that resolves to %s is refused", async (address) => {
    world.grants.set("granted.test", "wildcard");
    world.names.set("granted.test", [address]);
    const { stdout } = await curl(...viaHttp(), "-i", `http://granted.test:${httpPort}/`);
    expect(stdout).toContain("403 Forbidden");
    expect(last()).toMatchObject({ reason: "forbidden_address", address });
  });

  it("T08 one private address among public ones condemns the name", async () => {
    world.grants.set("granted.test", "wildcard");
    world.names.set("granted.test", ["93.184.216.34", "127.0.0.1"]);
    const { stdout } = await curl(...viaHttp(), "-i", `http://granted.test:${httpPort}/`);
    expect(stdout).toContain("403 Forbidden");
  });

  it("T08 there is one look-up, and its very answer is dialled", async () => {
    await curl(...viaHttp(), `http://granted.test:${httpPort}/`);
    expect(world.lookups).toEqual(["granted.test"]);
    expect(last()?.address).toBe("127.0.0.1");
  });

  it.each([
    "2130706433",
    "0x7f000001",
    "0177.0.0.1",
    "127.1",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "127.0.0.1.",
  ])("T09 %s is 127.0.0.1 and refused under a wildcard, dialled when named", async (spelling) => {
    const request = `CONNECT ${spelling}:${httpPort} HTTP/1.1\r\nHost: ${spelling}:${httpPort}\r\n\r\n`;
    expect(await exchangeBytes(world.proxyPort, request)).toContain("403 Forbidden");
    world.grants.set("127.0.0.1", "wildcard");
    expect(await exchangeBytes(world.proxyPort, request)).toContain("403 Forbidden");
    expect(last()).toMatchObject({ host: "127.0.0.1", reason: "forbidden_address" });
    world.grants.set("127.0.0.1", "named");
    const inner = `GET / HTTP/1.1\r\nHost: 127.0.0.1:${httpPort}\r\nConnection: close\r\n\r\n`;
    expect(await exchangeBytes(world.proxyPort, request + inner)).toContain("GET / 0");
  });

  it.each([
    "[64:ff9b::7f00:1]",
    "[2002:7f00:1::1]",
    "[2001:0:7f00:1::1]",
    "[::7f00:1]",
    "[2a00::5efe:7f00:1]",
  ])("T09 %s embeds an IPv4 address and is refused", async (host) => {
    world.grants.set(new URL(`http://${host}/`).hostname.slice(1, -1), "wildcard");
    const request = `CONNECT ${host}:80 HTTP/1.1\r\nHost: ${host}:80\r\n\r\n`;
    expect(await exchangeBytes(world.proxyPort, request)).toContain("403 Forbidden");
    expect(last()).toMatchObject({ reason: "forbidden_address" });
  });

  it("the machine's own address is refused although it is public", async () => {
    await world.close();
    world = await egressWorld({ ownAddresses: () => ["93.184.216.34"] });
    world.grants.set("93.184.216.34", "wildcard");
    const { stdout } = await curl(...viaHttp(), "-i", "http://93.184.216.34/");
    expect(stdout).toContain("403 Forbidden");
  });

  it("policy may refuse an address that the guard lets through", async () => {
    await world.close();
    const denial = { layer: "policy", message: "127.0.0.0/8 is denied" } as const;
    const judgeAddress = ({ address }: { address: string }) =>
      address === "127.0.0.1" ? denial : undefined;
    world = await egressWorld({ judgeAddress });
    world.grants.set("granted.test", "named");
    world.names.set("granted.test", ["127.0.0.1"]);
    const { stdout } = await curl(...viaHttp(), "-i", `http://granted.test:${httpPort}/`);
    expect(stdout).toContain("403 Forbidden");
    expect(last()).toMatchObject({ reason: "forbidden_address", denial });
  });

  it("a name without an address is told apart from one that is forbidden", async () => {
    world.grants.set("gone.test", "named");
    const { stdout } = await curl(...viaHttp(), "-i", "http://gone.test/");
    expect(stdout).toContain("502 Bad Gateway");
    expect(stdout).toContain("gone.test cannot be resolved");
    const socks = await curl(...viaSocks(), "http://gone.test/");
    expect(socks.code).toBe(97);
    expect(last()).toMatchObject({ verdict: "failed", reason: "unresolved" });
  });
});

function tlsThroughProxy(
  servername: string | undefined,
  target = `granted.test:${httpsPort}`,
): Promise<string> {
  return new Promise((resolve) => {
    const raw = connectTcp(world.proxyPort, "127.0.0.1");
    raw.on("error", () => resolve("reset"));
    raw.write(`CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n\r\n`);
    raw.once("data", () => {
      const options = servername === undefined ? {} : { servername };
      const tls = connectTls({ socket: raw, rejectUnauthorized: false, ...options }, () => {
        resolve("connected");
        tls.destroy();
      });
      tls.on("error", () => resolve("reset"));
    });
  });
}

describe("fronting", () => {
  it("T10 a ClientHello for another domain is reset, for the granted one it is not", async () => {
    expect(await tlsThroughProxy("other.test")).toBe("reset");
    expect(world.events).toMatchObject([{ verdict: "refused", reason: "sni_mismatch" }]);
    expect(await tlsThroughProxy("granted.test")).toBe("connected");
  });

  it("T10 a ClientHello for another domain is reset even where that one is granted as well", async () => {
    world.grants.set("other.test", "named");
    expect(await tlsThroughProxy("other.test")).toBe("reset");
  });

  it("T10 a ClientHello without a name is reset, unless a named address is dialled", async () => {
    expect(await tlsThroughProxy(undefined)).toBe("reset");
    expect(last()).toMatchObject({ reason: "sni_missing" });
    world.grants.set("127.0.0.1", "named");
    expect(await tlsThroughProxy(undefined, `127.0.0.1:${httpsPort}`)).toBe("connected");
  });

  it("T10 another Host inside a tunnel is refused, also in the second request", async () => {
    const authority = `granted.test:${httpPort}`;
    const tunnel = `CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`;
    const good = `GET /good HTTP/1.1\r\nHost: ${authority}\r\n\r\n`;
    const evil = `GET /evil HTTP/1.1\r\nHost: denied.test:${httpPort}\r\n\r\n`;
    const reply = await exchangeBytes(world.proxyPort, tunnel + good + evil);
    expect(reply).toContain("GET /good 0");
    expect(reply).toContain("400 Bad Request");
    expect(reply).not.toContain("/evil");
    expect(last()).toMatchObject({ reason: "host_mismatch" });
  });
});

describe("plain HTTP", () => {
  const send = (...lines: string[]) =>
    exchangeBytes(world.proxyPort, `${lines.join("\r\n")}\r\n\r\n`);

  it("T12 a URI and a Host that differ are refused, equal ones are not", async () => {
    const line = `GET http://granted.test:${httpPort}/ HTTP/1.1`;
    const bad = await send(line, "Host: denied.test");
    expect(bad).toContain("400 Bad Request");
    expect(last()).toMatchObject({ reason: "host_mismatch" });
    const good = await send(line, `Host: GRANTED.test.:${httpPort}`, "Connection: close");
    expect(good).toContain("GET / 0");
  });

  it.each([
    ["Content-Length and Transfer-Encoding", "Content-Length: 5\r\nTransfer-Encoding: chunked"],
    ["two Content-Lengths", "Content-Length: 5\r\nContent-Length: 6"],
    ["two equal Content-Lengths", "Content-Length: 0\r\nContent-Length: 0"],
    ["a Content-Length list", "Content-Length: 5, 5"],
    ["a signed Content-Length", "Content-Length: +5"],
    ["an unknown coding", "Transfer-Encoding: xchunked"],
    ["a coding in front of chunked", "Transfer-Encoding: gzip, chunked"],
    ["two Transfer-Encodings", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"],
    ["a space before the colon", "Transfer-Encoding : chunked"],
    ["a folded line", "X-A: 1\r\n Transfer-Encoding: chunked"],
    ["a second Host", "Host: denied.test"],
    ["a bare LF", "X-A: 1\nTransfer-Encoding: chunked"],
    ["a bare CR", "X-A: 1\rTransfer-Encoding: chunked"],
    ["a NUL", "X-A: 1\u0000"],
    ["a field without a name", ": x"],
  ])("T12 a request with %s is refused", async (_, fields) => {
    const authority = `granted.test:${httpPort}`;
    const reply = await send(`POST http://${authority}/ HTTP/1.1`, `Host: ${authority}`, fields);
    expect(reply).toContain("400 Bad Request");
    expect(last()).toMatchObject({ reason: "malformed" });
    expect(world.lookups).toEqual([]);
  });

  it.each([
    "GET http://granted.test@denied.test/ HTTP/1.1",
    "GET http://granted.test\\@denied.test/ HTTP/1.1",
    "GET http://granted.test%00.denied.test/ HTTP/1.1",
    "GET http://granted.test:80:81/ HTTP/1.1",
    "GET http://granted.test\t/ HTTP/1.1",
    "GET  http://granted.test/ HTTP/1.1",
    "GET https://granted.test/ HTTP/1.1",
    "GET /path HTTP/1.1",
    "GET http://granted.test/ HTTP/2.0",
    "CONNECT granted.test HTTP/1.1",
    "CONNECT granted.test:443\\r\\nX HTTP/1.1",
    "CONNECT user@granted.test:443 HTTP/1.1",
    "CONNECT http://granted.test:443 HTTP/1.1",
  ])("T12 %j is no request for this proxy", async (line) => {
    expect(await send(line, "Host: granted.test")).toMatch(/400 Bad Request/);
    expect(world.egress.stats().allowed).toBe(0);
  });

  it("T12 what is hidden behind a body is read as a request, and judged", async () => {
    const authority = `granted.test:${httpPort}`;
    const first = `POST http://${authority}/one HTTP/1.1\r\nHost: ${authority}\r\nContent-Length: 4\r\n\r\nbody`;
    const second = `GET http://denied.test/two HTTP/1.1\r\nHost: denied.test\r\n\r\n`;
    const reply = await exchangeBytes(world.proxyPort, first + second);
    expect(reply).toContain("POST /one 4");
    expect(reply).toContain("403 Forbidden");
    expect(world.events.map((event) => event.reason)).toEqual(["granted", "not_granted"]);
  });

  it("T15 the second hop of a redirect is judged again", async () => {
    const { stdout } = await curl(...viaHttp(), "-L", `http://granted.test:${httpPort}/redirect`);
    expect(stdout).toContain("denied.test");
    expect(world.events.map((event) => event.reason)).toEqual(["granted", "not_granted"]);
  });
});

describe("SOCKS5", () => {
  const greeting = Buffer.from([5, 1, 0]);
  const request = (command: number, host: string, port = 80) => {
    const name = Buffer.from(host, "latin1");
    const head = Buffer.from([5, command, 0, 3, name.length]);
    return Buffer.concat([greeting, head, name, Buffer.from([port >> 8, port & 255])]);
  };

  it("refuses a name with a NUL in it", async () => {
    world.grants.set("google.test", "named");
    const reply = await exchangeBytes(world.proxyPort, request(1, "attacker\0.google.test"));
    expect(Buffer.from(reply, "latin1").subarray(0, 4)).toEqual(Buffer.from([5, 0, 5, 1]));
    expect(world.lookups).toEqual([]);
  });

  it.each([
    [2, "BIND"],
    [3, "UDP ASSOCIATE"],
  ])("refuses command %i (%s)", async (command) => {
    const reply = await exchangeBytes(world.proxyPort, request(command, "granted.test"));
    expect(Buffer.from(reply, "latin1").subarray(0, 4)).toEqual(Buffer.from([5, 0, 5, 7]));
    expect(last()).toMatchObject({ reason: "unsupported" });
  });

  it("refuses a client that wants to authenticate, and SOCKS4", async () => {
    expect(await exchangeBytes(world.proxyPort, Buffer.from([5, 1, 2]))).toBe("\u0005ÿ");
    expect(
      await exchangeBytes(
        world.proxyPort,
        Buffer.from([4, 1, 0, 80, 127, 0, 0, 1, 0, 13, 10, 13, 10]),
      ),
    ).toContain("400");
  });

  it("judges an address as an address", async () => {
    const [p, q] = [httpPort >> 8, httpPort & 255];
    const bytes = Buffer.concat([greeting, Buffer.from([5, 1, 0, 1, 127, 0, 0, 1, p, q])]);
    expect(await exchangeBytes(world.proxyPort, bytes)).toBe(
      "\u0005\u0000\u0005\u0002\u0000\u0001\u0000\u0000\u0000\u0000\u0000\u0000",
    );
    expect(last()).toMatchObject({ host: "127.0.0.1", reason: "not_granted" });
  });
});

describe("what the server reads", () => {
  it("T12 is the judged host in its one spelling, and the length that was read", async () => {
    const head = `POST http://GRANTED.test.:${httpPort}/ HTTP/1.1\r\nHost: granted.TEST:${httpPort}\r\n`;
    const reply = await exchangeBytes(world.proxyPort, `${head}Connection: close\r\n\r\n`);
    const got = JSON.parse(/X-Got: (.*)/.exec(reply)?.[1] ?? "{}") as Record<string, string>;
    expect(got["host"]).toBe(`granted.test:${httpPort}`);
    expect(reply).toContain("POST / 0");
  });

  it("T12 of a chunked body is what was decoded, and nothing behind its end", async () => {
    const authority = `granted.test:${httpPort}`;
    const head = `POST http://${authority}/ HTTP/1.1\r\nHost: ${authority}\r\nTransfer-Encoding: chunked\r\n\r\n`;
    const good = await exchangeBytes(
      world.proxyPort,
      `${head}3;x=y\r\nabc\r\n0\r\nT: v\r\n\r\nGARBAGE\r\n\r\n`,
    );
    expect(good).toContain("POST / 3");
    expect(good).toContain("400 Bad Request");
    for (const body of [
      "3\r\nabcX\r\n0\r\n\r\n",
      "3\nabc\r\n0\r\n\r\n",
      "-3\r\nabc\r\n",
      "0x3\r\nabc\r\n0\r\n\r\n",
    ]) {
      const reply = await exchangeBytes(world.proxyPort, head + body);
      expect(reply).not.toContain("POST / 3");
      expect(reply).toContain("400 Bad Request");
    }
  });
});

describe("limits", () => {
  const hold = (port: number) =>
    new Promise<Socket>((resolve) => {
      const socket = connectTcp(world.proxyPort, "127.0.0.1");
      socket.on("error", () => undefined);
      socket.write(`CONNECT granted.test:${port} HTTP/1.1\r\nHost: granted.test:${port}\r\n\r\n`);
      socket.once("data", () => resolve(socket));
    });
  const closed = (socket: Socket) =>
    new Promise<void>((resolve) => socket.once("close", () => resolve()));
  let echo: Server;
  beforeEach(async () => {
    echo = await listenOn(
      createServer((socket) => {
        socket.on("error", () => undefined);
        socket.pipe(socket);
      }),
    );
  });
  afterEach(() => echo.close());
  const restart = async (quotas: Partial<typeof QUOTAS>) => {
    await world.close();
    world = await egressWorld({ quotas: { ...QUOTAS, ...quotas } });
    world.names.set("granted.test", ["127.0.0.1"]);
    world.grants.set("granted.test", "named");
  };

  it("T17 a connection is cut when its host is no longer granted; another is not", async () => {
    world.names.set("other.test", ["127.0.0.1"]);
    world.grants.set("other.test", "named");
    const revoked = await hold(portOf(echo));
    const kept = connectTcp(world.proxyPort, "127.0.0.1");
    kept.write(
      `CONNECT other.test:${portOf(echo)} HTTP/1.1\r\nHost: other.test:${portOf(echo)}\r\n\r\n`,
    );
    await new Promise((resolve) => kept.once("data", resolve));
    world.grants.delete("granted.test");
    const gone = closed(revoked);
    world.egress.cut();
    await gone;
    expect(last()).toMatchObject({ verdict: "cut", reason: "revoked", host: "granted.test" });
    kept.write("still here");
    expect(String(await new Promise((resolve) => kept.once("data", resolve)))).toBe("still here");
    kept.destroy();
  });

  it("the byte quota holds in each direction, over all connections", async () => {
    await restart({ max_bytes: 1_000 });
    const socket = await hold(portOf(echo));
    const gone = closed(socket);
    socket.resume();
    socket.write("x".repeat(600));
    socket.write("x".repeat(600));
    await gone;
    expect(last()).toMatchObject({ verdict: "cut", reason: "quota" });
    const later = await curl(...viaHttp(), "-i", "-d", "more", `http://granted.test:${httpPort}/`);
    expect(later.stdout).toContain("503 Service Unavailable");
  });

  it("no more connections at the same time than granted", async () => {
    await restart({ max_connections: 2 });
    const [first, second] = [await hold(portOf(echo)), await hold(portOf(echo))];
    expect(await exchangeBytes(world.proxyPort, "GET / HTTP/1.1\r\n\r\n")).toBe("");
    expect(last()).toMatchObject({ verdict: "refused", reason: "quota" });
    const gone = closed(first);
    first.destroy();
    await gone;
    await new Promise((resolve) => setTimeout(resolve, 50));
    (await hold(portOf(echo))).destroy();
    second.destroy();
  });

  it("an idle connection, and a client that says nothing, are closed in time", async () => {
    await restart({ idle_ms: 150, connect_ms: 100 });
    const idle = await hold(portOf(echo));
    idle.write("hello");
    await closed(idle);
    expect(last()).toMatchObject({ verdict: "cut", reason: "timeout" });
    expect(await exchangeBytes(world.proxyPort, "GET http://gran")).toBe("");
  });

  it("a name server that does not answer in time is told as such", async () => {
    await restart({ connect_ms: 100 });
    world.grants.set("slow.test", "named");
    world.pending.add("slow.test");
    const { stdout } = await curl(...viaHttp(), "-i", "http://slow.test/");
    expect(stdout).toContain("504 Gateway Timeout");
    expect(last()).toMatchObject({ verdict: "failed", reason: "timeout" });
  });

  it("10 MB pass unharmed in both directions, with a slow reader", async () => {
    const socket = await hold(portOf(echo));
    const size = 10 << 20;
    let seen = 0;
    const all = new Promise<void>((resolve) => {
      socket.on("data", (chunk: Buffer) => {
        seen += chunk.length;
        socket.pause();
        setImmediate(() => socket.resume());
        if (seen === size) resolve();
      });
    });
    socket.end(Buffer.alloc(size, 1));
    await all;
    expect(world.egress.stats()).toMatchObject({ bytes_up: size, bytes_down: size });
  });

  it("closing resets everything and frees the listener", async () => {
    const socket = await hold(portOf(echo));
    const gone = closed(socket);
    await world.close();
    await gone;
    expect(world.egress.stats().open).toBe(0);
    expect(await exchangeBytes(world.proxyPort, "GET / HTTP/1.1\r\n\r\n")).toBe("");
  });
});
