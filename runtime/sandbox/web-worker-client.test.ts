import { type ChildProcessByStdio, spawn } from "node:child_process";
import type { Server } from "node:net";
import { PassThrough, type Readable, type Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Granted } from "../protocol/access.js";
import type { WebPort, WebRequest } from "../protocol/ports.js";
import { webAddress } from "../protocol/web-address.js";
import {
  type Certificate,
  certificateFor,
  type EgressWorld,
  egressWorld,
  httpServer,
  httpsServer,
  portOf,
} from "../test/egress-world.js";
import { webWorkerClient } from "./web-worker-client.js";

const MAIN = fileURLToPath(new URL("../web-worker.js", import.meta.url));
let certificate: Certificate;
let http: Server;
let https: Server;
let world: EgressWorld;
let worker: ChildProcessByStdio<Writable, Readable, null>;
let web: WebPort;
let hits: string[];

beforeAll(async () => {
  certificate = certificateFor("granted.test");
  hits = [];
  http = await httpServer((request, response) => {
    hits.push(request.url ?? "");
    if (request.url === "/slow") return;
    if (request.url === "/moved") {
      response.writeHead(301, { Location: "/new" }).end();
      return;
    }
    if (request.url === "/endless") {
      const timer = setInterval(() => response.write("x".repeat(65_536)), 1);
      response.on("close", () => clearInterval(timer));
      return;
    }
    response.writeHead(200, { "Content-Type": "text/html" });
    response.end("<html><title>T</title><body><h1>Head</h1><p>One <b>two</b></p></body></html>");
  });
  https = await httpsServer(certificate, (request, response) =>
    response.end(`secure ${request.url}`),
  );
  world = await egressWorld();
  world.grants.set("granted.test", "named");
  world.names.set("granted.test", ["127.0.0.1"]);
  const args = [MAIN, "--proxy", `http://127.0.0.1:${world.proxyPort}`, "--ca", certificate.caFile];
  worker = spawn(process.execPath, args, { stdio: ["pipe", "pipe", "inherit"], env: {} });
  const exited = new Promise((resolve) => worker.once("exit", resolve));
  web = webWorkerClient({ stdin: worker.stdin, stdout: worker.stdout, exited }, { denialOf });
});
afterAll(async () => {
  worker.kill("SIGKILL");
  await world.close();
  http.close();
  https.close();
  certificate.remove();
});

function denialOf(host: string, port: number) {
  return world.events.findLast((event) => event.host === host && event.port === port)?.denial;
}
function get(url: string, change: Partial<WebRequest> = {}, signal = new AbortController().signal) {
  const granted = { kind: "network", ...(webAddress(url) as object) } as Granted<"network">;
  return web.fetch(
    granted,
    { url, max_bytes: 10_000, timeout_ms: 5_000, as: "markdown", ...change },
    signal,
  );
}
const origin = () => `http://granted.test:${portOf(http)}`;

describe("the web worker", () => {
  it("fetches through its proxy and turns HTML into Markdown", async () => {
    const url = `${origin()}/page`;
    expect(await get(url)).toMatchObject({
      ok: true,
      value: {
        status: 200,
        url,
        title: "T",
        body: "## Head\n\nOne **two**",
        truncated: false,
      },
    });
    expect(world.events.at(-1)).toMatchObject({ via: "connect", verdict: "allowed" });
  });

  it("fetches HTTPS with the authorities it is given", async () => {
    const result = await get(`https://granted.test:${portOf(https)}/x`, { as: "raw" });
    expect(result).toMatchObject({ ok: true, value: { body: "secure /x" } });
  });

  it("T15 gives a redirect back instead of following it", async () => {
    expect(await get(`${origin()}/moved`)).toEqual({
      ok: true,
      value: { redirect: `${origin()}/new`, status: 301 },
    });
    expect(hits).not.toContain("/new");
  });

  it("is denied what the proxy refuses, with the capability that would have allowed it", async () => {
    expect(await get("http://denied.test/")).toMatchObject({
      ok: false,
      kind: "denied",
      denial: { layer: "token", capability: "network: denied.test:80" },
    });
  });

  it("answers many at once, each to its own request", async () => {
    const urls = Array.from({ length: 20 }, (_, n) => `https://granted.test:${portOf(https)}/${n}`);
    const results = await Promise.all(urls.map((url) => get(url, { as: "raw" })));
    expect(
      results.map((result) => (result.ok && "body" in result.value ? result.value.body : "")),
    ).toEqual(urls.map((_, n) => `secure /${n}`));
  });

  it("reads no more of an endless page than was asked for", async () => {
    const result = await get(`${origin()}/endless`, { as: "raw", max_bytes: 100_000 });
    expect(result).toMatchObject({ ok: true, value: { truncated: true, bytes_read: 100_000 } });
  });

  it("keeps the time of a request, and lets one be stopped", async () => {
    expect(await get(`${origin()}/slow`, { timeout_ms: 200 })).toMatchObject({ kind: "timeout" });
    const stop = new AbortController();
    const waiting = get(`${origin()}/slow`, {}, stop.signal);
    stop.abort();
    expect(await waiting).toMatchObject({ kind: "failed", message: "stopped while under way" });
    expect(await get(`${origin()}/page`)).toMatchObject({ ok: true });
  });

  it("is not used with proof for another host", async () => {
    const granted = { kind: "network", host: "other.test", port: 80 } as Granted<"network">;
    const request = {
      url: "http://granted.test/",
      max_bytes: 1,
      timeout_ms: 1_000,
      as: "raw",
    } as const;
    await expect(web.fetch(granted, request, new AbortController().signal)).rejects.toThrow(
      "granted other.test",
    );
  });

  it("that ends leaves its requests unavailable, and the later ones too", async () => {
    const waiting = get(`${origin()}/slow`);
    setTimeout(() => worker.kill("SIGKILL"), 50);
    expect(await waiting).toMatchObject({ ok: false, kind: "unavailable" });
    expect(await get(`${origin()}/page`)).toMatchObject({ ok: false, kind: "unavailable" });
  });
});

describe("a worker that was taken over", () => {
  const page = {
    status: 200,
    content_type: "",
    url: "http://evil.test/",
    title: null,
    truncated: false,
    bytes_read: 1,
  };
  const askLiar = (reply: string) => {
    const stdout = new PassThrough();
    const stdin = new PassThrough();
    stdin.once("data", () => stdout.write(reply));
    web = webWorkerClient(
      { stdin, stdout, exited: new Promise(() => undefined) },
      { denialOf: () => undefined },
    );
    return get("http://granted.test/", { max_bytes: 10 });
  };

  it.each([
    ["says what is no JSON", "hello\n"],
    [
      "claims a denial",
      `${JSON.stringify({ id: 1, result: { ok: false, kind: "denied", message: "x" } })}\n`,
    ],
    [
      "adds a field",
      `${JSON.stringify({ id: 1, result: { ok: true, value: { ...page, body: "x", more: 1 } } })}\n`,
    ],
    [
      "gives more than was asked for",
      `${JSON.stringify({ id: 1, result: { ok: true, value: { ...page, body: "x".repeat(11) } } })}\n`,
    ],
  ])("and %s is not believed", async (_, reply) => {
    expect(await askLiar(reply)).toMatchObject({ ok: false, kind: "unavailable" });
  });

  it("cannot say that a page came from elsewhere", async () => {
    const reply = JSON.stringify({ id: 1, result: { ok: true, value: { ...page, body: "x" } } });
    expect(await askLiar(`${reply}\n`)).toMatchObject({
      ok: true,
      value: { url: "http://granted.test/" },
    });
  });
});
