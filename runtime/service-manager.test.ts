import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { loadAddon } from "./sandbox/addon.js";
import { openServiceManager } from "./service-manager.js";

const addon = loadAddon(join(import.meta.dirname, "../native/build/aaos.node"));

function manager(environment: Partial<Parameters<typeof openServiceManager>[0]["environment"]>) {
  const said: string[] = [];
  const opened = openServiceManager({
    environment: { socket: "@x", watchdogUsec: undefined, watchdogPid: undefined, ...environment },
    pid: 42,
    monotonicNs: () => 1_234_567n,
    send: (_path, text) => said.push(text) > 0,
  });
  return { said, ...opened };
}

it("says ready, its status, reloading with the time, and stopping, each in one datagram", () => {
  const { said, ready, status, reloading, stopping } = manager({});
  ready("2 runs");
  status("two\nlines");
  reloading();
  stopping("SIGTERM");
  expect(said).toEqual([
    "READY=1\nSTATUS=2 runs",
    "STATUS=two lines",
    "RELOADING=1\nMONOTONIC_USEC=1234",
    "STOPPING=1\nSTATUS=SIGTERM",
  ]);
});

it("feeds the watchdog once it is ready, and not before; not where the watchdog is meant for another process", async () => {
  const fed = manager({ watchdogUsec: "30000", watchdogPid: "42" });
  const other = manager({ watchdogUsec: "30000", watchdogPid: "43" });
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(fed.said).toEqual([]);
  fed.ready("");
  other.ready("");
  await expect
    .poll(() => fed.said.filter((text) => text === "WATCHDOG=1").length)
    .toBeGreaterThan(2);
  expect(other.said).toEqual(["READY=1\nSTATUS="]);
  fed.close();
});

it("says nothing outside of systemd, and never fails", () => {
  const { said, ready } = manager({ socket: undefined });
  ready("");
  expect(said).toEqual([]);
  const deaf = openServiceManager({
    environment: { socket: "/nowhere", watchdogUsec: undefined, watchdogPid: undefined },
    pid: 1,
    monotonicNs: () => 0n,
    send: addon.sendDatagram,
  });
  deaf.ready("");
});

it.each(["path", "abstract"])(
  "the addon's datagram arrives at a real socket with %s name",
  async (kind) => {
    const dir = mkdtempSync(join(tmpdir(), "aaos-notify-"));
    const path = kind === "path" ? join(dir, "notify") : `@aaos-test-${process.pid}-${Date.now()}`;
    const python = `import socket,sys
s=socket.socket(socket.AF_UNIX,socket.SOCK_DGRAM); p=sys.argv[1]
s.bind("\\0"+p[1:] if p[0]=="@" else p); print("bound",flush=True); print(s.recv(4096).decode(),end="",flush=True)`;
    const receiver = spawn("python3", ["-c", python, path], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    try {
      let heard = "";
      receiver.stdout.on("data", (text: Buffer) => {
        heard += text.toString();
      });
      await expect.poll(() => heard, { timeout: 20_000 }).toBe("bound\n");
      expect(addon.sendDatagram(path, "READY=1\nSTATUS=é")).toBe(true);
      await expect.poll(() => heard, { timeout: 20_000 }).toBe("bound\nREADY=1\nSTATUS=é");
      expect(() => addon.sendDatagram(join(dir, "nobody"), "x")).toThrow(/ENOENT|no such file/i);
    } finally {
      receiver.kill();
      rmSync(dir, { recursive: true, force: true });
    }
  },
);
