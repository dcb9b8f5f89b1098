import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { command } from "./command.js";
import type { Notice } from "./notice.js";
import { sendNotices } from "./send-notices.js";
import { webhook } from "./webhook.js";

const PATH = "/usr/bin:/bin";
const NEVER = new AbortController().signal;
const NOTICE: Notice = {
  ...{ kind: "run_failed", run_id: null, time: "2026-01-01T00:00:00.000Z", text: "failed" },
  ...{ goal: null, reason: null, error: null },
};

/** A server that answers each request with the next of these. */
async function answering(statuses: number[]) {
  let asked = 0;
  const server = createServer((request, response) => {
    request.resume();
    response.writeHead(statuses[asked++] ?? 500, { location: "/elsewhere" }).end();
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/`,
    asked: () => asked,
    [Symbol.dispose]: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

describe("a webhook", () => {
  it("is tried three times", async () => {
    using server = await answering([500, 503, 204]);
    await webhook(server.url, fetch).deliver("{}", NEVER);
    expect(server.asked()).toBe(3);
  }, 60_000);

  it("that fails three times has failed, and no redirect is followed", async () => {
    using server = await answering([500, 503, 302, 204]);
    await expect(webhook(server.url, fetch).deliver("{}", NEVER)).rejects.toThrow(
      "it answered 302",
    );
    expect(server.asked()).toBe(3);
  }, 60_000);
});

describe("a command", () => {
  it("that does not end is killed, with what it started", async () => {
    const dir = mkdtempSync(join(tmpdir(), "aaos-notify-"));
    try {
      const script = join(dir, "tell");
      const pids = join(dir, "pids");
      writeFileSync(script, `#!/bin/sh\nsleep 600 &\necho $! $$ >"$1"\nwait\n`, { mode: 0o755 });
      await expect(command([script, pids], PATH, 1_500).deliver("{}", NEVER)).rejects.toThrow(
        "killed after 1.5 s",
      );
      for (const pid of readFileSync(pids, "utf8").trim().split(" ")) {
        await expect.poll(() => isAlive(Number(pid)), { timeout: 20_000 }).toBe(false);
      }
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  }, 60_000);

  it("that fails is told by its exit code, and need not read what it is given", async () => {
    const long = JSON.stringify("x".repeat(1_000_000));
    await expect(command(["false"], PATH).deliver(long, NEVER)).rejects.toThrow("exit 1");
    await command(["true"], PATH).deliver(long, NEVER);
  });
});

it("more notices than 256 waiting are dropped, and told; closing loses what is left, and tells that", async () => {
  const told: string[] = [];
  const stuck = {
    name: "stuck",
    deliver: (_: string, signal: AbortSignal) =>
      new Promise<void>((_resolve, reject) => {
        if (signal.aborted) return reject(new Error("aborted"));
        signal.addEventListener("abort", () => reject(new Error("aborted")));
      }),
  };
  const outbox = sendNotices(stuck, (message) => told.push(message));
  for (let count = 0; count < 260; count++) outbox.put(NOTICE);
  expect(told).toEqual(Array(3).fill("a notice was dropped: too many wait"));
  await outbox.close();
  expect(told.slice(3)).toEqual(Array(257).fill("a notice was not delivered"));
}, 60_000);

/** A zombie has ended. */
function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}
