import { brotliCompressSync, deflateSync, gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import type { Json } from "../../protocol/json.js";
import { serve } from "../../test/site.js";
import { openTestPlace, type TestPlace, type TestPlaceOptions } from "../../test/tool-context.js";
import { webFetch } from "./web-fetch.js";

async function fetchIn(place: TestPlace, input: Json): Promise<Record<string, Json>> {
  const result = await webFetch.run(input, place.context);
  return (result.ok ? result.output : { ...result.error }) as Record<string, Json>;
}

/** One call in a place of its own. */
async function fetchOnce(
  input: Json,
  options: TestPlaceOptions = {},
): Promise<Record<string, Json>> {
  await using place = await openTestPlace(options);
  return await fetchIn(place, input);
}

const html = { "content-type": "text/html; charset=utf-8" };

describe("what comes back", () => {
  it("HTML as Markdown, with the keys it always has", async () => {
    const page =
      "<html><head><title>T</title></head><body><p>Hi <a href='/x'>there</a></p></body></html>";
    await using site = await serve((_request, response) => response.writeHead(200, html).end(page));
    expect(await fetchOnce({ url: `${site.url}/p` })).toEqual({
      status: 200,
      content_type: "text/html; charset=utf-8",
      body: `Hi [there](${site.url}/x)`,
      truncated: false,
      bytes_read: page.length,
      url: `${site.url}/p`,
      title: "T",
    });
    expect(await fetchOnce({ url: site.url, as: "raw" })).toMatchObject({
      body: page,
      title: null,
    });
  });

  it("JSON and text as they are, also where the status is no success", async () => {
    await using site = await serve((request, response) => {
      const json = request.url === "/json";
      response.writeHead(json ? 200 : 404, {
        "content-type": json ? "application/ld+json" : "text/plain",
      });
      response.end(json ? '{"a":1}' : "gone");
    });
    expect(await fetchOnce({ url: `${site.url}/json` })).toMatchObject({
      status: 200,
      body: '{"a":1}',
    });
    expect(await fetchOnce({ url: `${site.url}/x` })).toMatchObject({ status: 404, body: "gone" });
  });

  it.each([
    ["gzip", gzipSync],
    ["br", brotliCompressSync],
    ["deflate", deflateSync],
  ] as const)("a body encoded with %s is decoded", async (encoding, encode) => {
    await using site = await serve((_request, response) => {
      response.writeHead(200, { "content-type": "text/plain", "content-encoding": encoding });
      response.end(encode("plain text"));
    });
    expect(await fetchOnce({ url: site.url })).toMatchObject({
      body: "plain text",
      bytes_read: 10,
    });
  });

  it.each([
    ["header", "text/html; charset=iso-8859-1", "<p>caf\xe9</p>"],
    ["page", "text/html", '<meta charset="iso-8859-1"><p>caf\xe9</p>'],
  ])("the charset of the %s is used", async (_where, type, page) => {
    await using site = await serve((_request, response) =>
      response.writeHead(200, { "content-type": type }).end(Buffer.from(page, "latin1")),
    );
    expect(await fetchOnce({ url: site.url })).toMatchObject({ body: "café" });
  });

  it("other kinds of content are refused by name, and nothing of them is read", async () => {
    await using site = await serve((_request, response) =>
      response.writeHead(200, { "content-type": "application/pdf" }).end("%PDF"),
    );
    const refused = await fetchOnce({ url: site.url });
    expect(refused).toMatchObject({ kind: "failed" });
    expect(refused["message"]).toContain("application/pdf");
  });
});

describe("bounds", () => {
  it("a body is cut at max_bytes, never inside a character", async () => {
    await using site = await serve((_request, response) =>
      response.writeHead(200, { "content-type": "text/plain; charset=utf-8" }).end("é".repeat(100)),
    );
    const cut = await fetchOnce({ url: site.url, max_bytes: 50 });
    expect(cut).toMatchObject({ body: "é".repeat(25), truncated: true });
    expect(await fetchOnce({ url: site.url, max_bytes: 200 })).toMatchObject({ truncated: false });
  });

  it("a body announced at more than ten times max_bytes is not begun", async () => {
    await using site = await serve((request, response) => {
      const length = request.url === "/over" ? 1_001 : 1_000;
      response.writeHead(200, { "content-type": "text/plain", "content-length": length });
      response.end("x".repeat(length));
    });
    expect(await fetchOnce({ url: `${site.url}/over`, max_bytes: 100 })).toMatchObject({
      kind: "too_large",
    });
    expect(await fetchOnce({ url: `${site.url}/just`, max_bytes: 100 })).toMatchObject({
      truncated: true,
    });
  });

  it("a small body that unfolds to a huge one costs no more than its bound", async () => {
    const bomb = gzipSync(Buffer.alloc(200_000_000));
    await using site = await serve((_request, response) => {
      response.writeHead(200, { "content-type": "text/plain", "content-encoding": "gzip" });
      response.end(bomb);
    });
    const before = process.memoryUsage().rss;
    const read = await fetchOnce({ url: site.url, max_bytes: 100_000 });
    expect(read).toMatchObject({ truncated: true, bytes_read: 100_000 });
    expect(process.memoryUsage().rss - before).toBeLessThan(100_000_000);
  });

  it("a server that stalls is a timeout, before its head and in its body", async () => {
    await using site = await serve((request, response) => {
      if (request.url === "/body") response.writeHead(200, html).write("<p>");
    });
    for (const path of ["/head", "/body"]) {
      await using place = await openTestPlace();
      const context = { ...place.context, web: { timeout_ms: 300, max_redirects: 5 } };
      const result = await webFetch.run({ url: site.url + path }, context);
      expect(result).toMatchObject({ ok: false, error: { kind: "timeout" } });
    }
  });

  it("a resolver that stalls is a timeout too", async () => {
    await using place = await openTestPlace({ lookup: () => new Promise(() => undefined) });
    const context = { ...place.context, web: { timeout_ms: 200, max_redirects: 5 } };
    const result = await webFetch.run({ url: "http://site.test/" }, context);
    expect(result).toMatchObject({ ok: false, error: { kind: "timeout" } });
  });

  it("an abort ends the call at once", async () => {
    await using site = await serve(() => undefined);
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 100);
    const stopped = await fetchOnce({ url: site.url }, { signal: controller.signal });
    expect(stopped).toMatchObject({ kind: "failed" });
  });

  it("a server that is not there, and one that breaks off, are unavailable", async () => {
    await using site = await serve((request) => request.socket.destroy());
    expect(await fetchOnce({ url: site.url })).toMatchObject({ kind: "unavailable" });
    expect(await fetchOnce({ url: "http://site.test:1/" })).toMatchObject({ kind: "unavailable" });
    const unknown = await fetchOnce(
      { url: "http://nowhere.test/" },
      { lookup: () => Promise.reject(new Error("getaddrinfo ENOTFOUND nowhere.test")) },
    );
    expect(unknown).toMatchObject({ kind: "unavailable" });
    expect(unknown["message"]).toContain("nowhere.test cannot be resolved");
  });
});

describe("what is judged", () => {
  it.each([
    ["ftp://site.test/x", "must be http or https"],
    ["file:///etc/passwd", "must be http or https"],
    ["http://user:pw@site.test/", "must not hold a user"],
    ["site.test/x", "no absolute URL"],
  ])("%s is refused before anything is asked for", async (url, reason) => {
    await using place = await openTestPlace();
    const refused = await fetchIn(place, { url });
    expect(refused).toMatchObject({ kind: "invalid_input" });
    expect(refused["message"]).toContain(reason);
    expect(place.asked).toEqual([]);
  });

  it("hosts are asked for in one form, with their port", async () => {
    await using place = await openTestPlace({ refuses: () => true });
    for (const url of [
      "http://EXAMPLE.com./",
      "https://example.com",
      "http://0x7f.1:8080/",
      "http://[::1]/",
    ]) {
      expect(await fetchIn(place, { url })).toMatchObject({ kind: "denied", layer: "token" });
    }
    expect(place.asked).toEqual([
      { kind: "network", host: "example.com", port: 80 },
      { kind: "network", host: "example.com", port: 443 },
      { kind: "network", host: "127.0.0.1", port: 8080 },
      { kind: "network", host: "::1", port: 80 },
    ]);
  });

  it("A22-28 a redirect to a host that is not granted is refused and never requested", async () => {
    await using other = await serve((_request, response) =>
      response.writeHead(200, html).end("secret"),
    );
    const target = `http://other.test:${other.port}/x`;
    await using site = await serve((_request, response) =>
      response.writeHead(302, { location: target }).end(),
    );
    const denied = await fetchOnce(
      { url: site.url },
      { refuses: (access) => access.kind === "network" && access.host === "other.test" },
    );
    expect(denied).toMatchObject({
      kind: "denied",
      capability: `network: other.test ${other.port}`,
    });
    expect(other.hits).toEqual([]);
    expect(await fetchOnce({ url: site.url })).toMatchObject({ body: "secret", url: target });
    expect(other.hits).toEqual(["/x"]);
  });

  it("redirects are followed as often as allowed, circles and other schemes are not", async () => {
    await using site = await serve((request, response) => {
      const n = Number(request.url?.slice(1));
      if (request.url === "/file")
        response.writeHead(301, { location: "file:///etc/passwd" }).end();
      else if (request.url === "/circle") response.writeHead(301, { location: "/circle" }).end();
      else if (n === 0) response.writeHead(200, { "content-type": "text/plain" }).end("end");
      else response.writeHead(307, { location: `/${n - 1}` }).end();
    });
    expect(await fetchOnce({ url: `${site.url}/5` })).toMatchObject({
      body: "end",
      url: `${site.url}/0`,
    });
    const far = await fetchOnce({ url: `${site.url}/6` });
    expect(far["message"]).toContain("more than 5 times");
    const circle = await fetchOnce({ url: `${site.url}/circle` });
    expect(circle["message"]).toContain("in a circle");
    const file = await fetchOnce({ url: `${site.url}/file` });
    expect(file).toMatchObject({ kind: "invalid_input" });
  });

  it("A24-23 an address that is refused is never connected to, whatever name leads there", async () => {
    await using site = await serve((_request, response) => response.end("secret"));
    const judgeAddress = (host: string, _port: number, address: string) =>
      address === "127.0.0.1" && host !== "named.test"
        ? { layer: "egress" as const, message: `${host} leads to the loopback address ${address}` }
        : undefined;
    for (const host of ["site.test", "127.0.0.1", "0x7f.1", "2130706433"]) {
      const denied = await fetchOnce({ url: `http://${host}:${site.port}/` }, { judgeAddress });
      expect(denied).toMatchObject({ kind: "denied", layer: "egress" });
    }
    expect(site.hits).toEqual([]);
    expect(
      await fetchOnce({ url: `http://named.test:${site.port}/` }, { judgeAddress }),
    ).toMatchObject({ status: 200 });
  });

  it("a name is resolved once: what it means at the time of the connection no longer matters", async () => {
    await using site = await serve((_request, response) =>
      response.writeHead(200, { "content-type": "text/plain" }).end("ok"),
    );
    let asked = 0;
    const lookup = () => Promise.resolve(asked++ === 0 ? ["127.0.0.1"] : ["127.0.0.2"]);
    expect(await fetchOnce({ url: site.url }, { lookup })).toMatchObject({ body: "ok" });
    expect(asked).toBe(1);
  });
});
