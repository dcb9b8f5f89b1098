import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { listen, serve } from "../test/site.js";
import { granted } from "../test/tool-context.js";
import { daemonWeb } from "./daemon-web.js";

it("a proof for one host never reaches another", async () => {
  const web = daemonWeb({ judgeAddress: () => undefined, ca_files: [] });
  const request = { url: "http://b.test/", max_bytes: 10, timeout_ms: 100, as: "raw" } as const;
  const proof = granted({ kind: "network" as const, host: "a.test", port: 80 });
  await expect(web.fetch(proof, request, new AbortController().signal)).rejects.toThrow(
    "granted a.test:80",
  );
});

describe("networks that need more", () => {
  it("a certificate of an authority in ca_files is trusted, another is not", async () => {
    const dir = await mkdtemp(join(tmpdir(), "aaos-tls-"));
    try {
      const [key, cert] = [join(dir, "key.pem"), join(dir, "cert.pem")];
      const subject = ["-subj", "/CN=site.test", "-addext", "subjectAltName=DNS:site.test"];
      execFileSync(
        "openssl",
        [
          "req",
          "-x509",
          "-newkey",
          "rsa:2048",
          "-nodes",
          "-days",
          "1",
          "-keyout",
          key,
          "-out",
          cert,
          ...subject,
        ],
        { stdio: "ignore" },
      );
      const server = createTlsServer(
        { key: readFileSync(key), cert: readFileSync(cert) },
        (_request, response) =>
          response.writeHead(200, { "content-type": "text/plain" }).end("tls"),
      );
      await using site = await listen(server as unknown as Server);
      const request = {
        url: `https://site.test:${site.port}/`,
        max_bytes: 10,
        timeout_ms: 5_000,
        as: "raw",
      } as const;
      const proof = granted({ kind: "network" as const, host: "site.test", port: site.port });
      const options = {
        judgeAddress: () => undefined,
        lookup: () => Promise.resolve(["127.0.0.1"]),
      };
      const fetchWith = (ca_files: string[]) =>
        daemonWeb({ ...options, ca_files }).fetch(proof, request, new AbortController().signal);
      expect(await fetchWith([cert])).toMatchObject({ ok: true, value: { body: "tls" } });
      const untrusted = await fetchWith([]);
      expect(untrusted).toMatchObject({ ok: false, kind: "unavailable" });
      expect(untrusted).toHaveProperty("message", expect.stringContaining("certificate"));
      expect(await fetchWith([join(dir, "none.pem")])).toMatchObject({ ok: false });
    } finally {
      await rm(dir, { recursive: true });
    }
  });

  it("behind a proxy everything goes through it, and refused addresses still do not", async () => {
    await using site = await serve((_request, response) =>
      response.writeHead(200, { "content-type": "text/plain" }).end("via"),
    );
    const asked: string[] = [];
    const proxy = createServer((request: IncomingMessage, response) => {
      asked.push(request.url ?? "");
      const socket = connect(site.port, "127.0.0.1", () => {
        socket.write(`GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`);
      });
      socket.pipe(response.socket ?? socket);
    });
    await using front = await listen(proxy);
    const url = `http://site.test:${site.port}/`;
    const request = { url, max_bytes: 100, timeout_ms: 5_000, as: "raw" } as const;
    const proof = granted({ kind: "network" as const, host: "site.test", port: site.port });
    const options = { proxy: `http://127.0.0.1:${front.port}`, ca_files: [] };
    const unresolvable = () => Promise.reject(new Error("no DNS here"));
    const open = daemonWeb({ ...options, judgeAddress: () => undefined, lookup: unresolvable });
    const signal = new AbortController().signal;
    expect(await open.fetch(proof, request, signal)).toMatchObject({
      ok: true,
      value: { body: "via" },
    });
    expect(asked).toEqual([url]);
    const denial = { layer: "egress", message: "private" } as const;
    const closed = daemonWeb({
      ...options,
      judgeAddress: () => denial,
      lookup: () => Promise.resolve(["10.0.0.1"]),
    });
    expect(await closed.fetch(proof, request, signal)).toMatchObject({ kind: "denied", denial });
    expect(asked).toHaveLength(1);
  });
});
