import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, expect, it } from "vitest";

const PROGRAM = fileURLToPath(new URL("../agentd.js", import.meta.url));
const root = mkdtempSync(join(tmpdir(), "aaos-start-"));
afterEach(() => rmSync(root, { recursive: true, force: true }));

it("a daemon that cannot have its socket says so and ends, with nothing left behind it", async () => {
  const socket = join(root, "no-socket");
  writeFileSync(socket, "a file");
  const child = spawn(process.execPath, [PROGRAM, "--root", root, "--socket", socket, "run"], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  child.stderr.on("data", (chunk: Buffer) => {
    said += chunk.toString();
  });
  const timer = setTimeout(() => child.kill("SIGKILL"), 45_000);
  const [code] = (await once(child, "close")) as [number | null];
  clearTimeout(timer);
  expect(said).toContain(socket);
  expect(code).toBeGreaterThan(0);
});

it("a daemon that fails in the middle of its start ends, too", async () => {
  mkdirSync(join(root, "var/lib/aaos/aaos.db"), { recursive: true });
  const child = spawn(process.execPath, [PROGRAM, "--root", root, "run"], { stdio: "ignore" });
  const timer = setTimeout(() => child.kill("SIGKILL"), 45_000);
  const [code, signal] = (await once(child, "close")) as [number | null, string | null];
  clearTimeout(timer);
  expect({ code, signal }).toEqual({ code: expect.any(Number) as number, signal: null });
});
