import { createHash, randomBytes } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Download, download } from "./download.js";

const content = randomBytes(300_000);
const sha256 = createHash("sha256").update(content).digest("hex");
let dir: string;
let server: Server;
let asked: (string | undefined)[];
let answer: (request: IncomingMessage, response: ServerResponse) => void;
let url: string;

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), "aaos-download-"));
  asked = [];
  server = createServer((request, response) => {
    asked.push(request.headers.range);
    answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  url = `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}/x.raucb`;
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
  rmSync(dir, { recursive: true, force: true });
});

const get = (more: Partial<Download> = {}) =>
  download({
    ...{
      url,
      request: fetch,
      file: join(dir, "x.raucb"),
      maxBytes: 1_000_000,
      sha256,
      stallMs: 200,
      attempts: 3,
    },
    ...{ onBytes: () => {}, signal: new AbortController().signal },
    ...more,
  });
const got = () => readFileSync(join(dir, "x.raucb"));

/** As a server does that knows ranges; ends after `most` bytes, or only stops sending. */
const serve = (most = content.length, stall = false) => {
  return ({ headers }: IncomingMessage, response: ServerResponse) => {
    const from = Number(/bytes=(\d+)-/.exec(headers.range ?? "")?.[1] ?? 0);
    response.writeHead(from > 0 ? 206 : 200, { "content-length": content.length - from });
    const rest = content.subarray(from, from + most);
    if (from + rest.length === content.length) response.end(rest);
    else response.write(rest, () => stall || response.destroy());
  };
};

test("a file comes whole", async () => {
  answer = serve();
  await get();
  expect(got().equals(content)).toBe(true);
  expect(existsSync(join(dir, "x.raucb.part"))).toBe(false);
});

test.each([false, true])(
  "one that is cut goes on where it was (the server stalls: %s)",
  async (stall) => {
    answer = serve(120_000, stall);
    await get();
    expect(got().equals(content)).toBe(true);
    expect(asked).toHaveLength(3);
    expect(asked[1]).toMatch(/^bytes=\d+-$/);
  },
);

test("a server that only stalls is given up, with the reason; what came is gone on with later", async () => {
  answer = serve(50_000, true);
  await expect(get({ attempts: 2 })).rejects.toMatchObject({
    code: "unavailable",
    message: /nothing came for 0.2 s/,
  });
  expect(existsSync(join(dir, "x.raucb"))).toBe(false);
  answer = serve();
  await get();
  expect(asked.at(-1)).toMatch(/^bytes=\d+-$/);
  expect(got().equals(content)).toBe(true);
});

test("a server that lies about the length is refused: shorter than it says, or longer than may come", async () => {
  answer = (_, response) => {
    response.writeHead(200, { "content-length": content.length + 10 });
    response.write(content, () => response.destroy());
  };
  await expect(get({ attempts: 1 })).rejects.toMatchObject({ code: "unavailable" });
  rmSync(join(dir, "x.raucb.part"), { force: true });
  answer = (_, response) => {
    response.writeHead(200);
    response.end(content);
  };
  await expect(get({ maxBytes: 100_000 })).rejects.toMatchObject({
    code: "invalid_file",
    message: /longer than/,
  });
  // What will never be whole takes no room.
  expect(existsSync(join(dir, "x.raucb.part"))).toBe(false);
});

test("what is not the file that the channel means is deleted and refused", async () => {
  answer = serve();
  await expect(get({ sha256: "0".repeat(64) })).rejects.toMatchObject({ code: "invalid_file" });
  expect(existsSync(join(dir, "x.raucb.part"))).toBe(false);
});
