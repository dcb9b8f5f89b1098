import { execFile, execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import type { Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { fetch, ProxyAgent } from "undici";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type EgressWorld, egressWorld, httpServer, portOf } from "../../test/egress-world.js";

const run = promisify(execFile);
let dir: string;
let server: Server;
let world: EgressWorld;
let origin: string;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "aaos-clients-"));
  const git = (...args: string[]) =>
    execFileSync("git", args, { cwd: dir, stdio: "ignore", env: gitEnv() });
  git("init", "-q", "-b", "main", "work");
  git("-C", "work", "commit", "-q", "--allow-empty", "-m", "first");
  git("clone", "-q", "--bare", "work", "repo.git");
  git("-C", "repo.git", "update-server-info");
  server = await httpServer((request, response) => {
    const path = (request.url ?? "").split("?")[0] ?? "";
    try {
      response.end(path.startsWith("/repo.git/") ? readFileSync(join(dir, path)) : `hello ${path}`);
    } catch {
      response.writeHead(404).end();
    }
  });
  world = await egressWorld();
  world.grants.set("granted.test", "named");
  world.names.set("granted.test", ["127.0.0.1"]);
  origin = `http://granted.test:${portOf(server)}`;
});
afterAll(async () => {
  await world.close();
  server.close();
  rmSync(dir, { recursive: true, force: true });
});

function gitEnv(proxy = "") {
  const who = {
    GIT_AUTHOR_NAME: "t",
    GIT_AUTHOR_EMAIL: "t@t",
    GIT_COMMITTER_NAME: "t",
    GIT_COMMITTER_EMAIL: "t@t",
  };
  return {
    ...who,
    PATH: "/usr/bin:/bin",
    HOME: dir,
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_CONFIG_GLOBAL: "/dev/null",
    http_proxy: proxy,
  };
}
const proxyUrl = () => `http://127.0.0.1:${world.proxyPort}`;

describe("unchanged clients reach a granted host, and no other", () => {
  it("node's fetch, with and without a tunnel", async () => {
    for (const proxyTunnel of [true, false]) {
      const dispatcher = new ProxyAgent({ uri: proxyUrl(), proxyTunnel });
      const pages = await Promise.all(
        [1, 2, 3].map((n) => fetch(`${origin}/${n}`, { dispatcher }).then((r) => r.text())),
      );
      expect(pages).toEqual(["hello /1", "hello /2", "hello /3"]);
      const denied = fetch("http://denied.test/", { dispatcher }).then(
        (r) => r.status,
        () => 403,
      );
      expect(await denied).toBe(403);
      await dispatcher.destroy();
    }
  });

  it("git over HTTP", async () => {
    const env = gitEnv(proxyUrl());
    const { stdout } = await run("git", ["ls-remote", `${origin}/repo.git`], { env });
    expect(stdout).toMatch(/^[0-9a-f]{40}\s+HEAD\n/);
    await expect(run("git", ["ls-remote", "http://denied.test/repo.git"], { env })).rejects.toThrow(
      "403",
    );
  });

  it("python's urllib", async () => {
    const script =
      "import sys,urllib.request;print(urllib.request.urlopen(sys.argv[1]).read().decode())";
    const env = { PATH: "/usr/bin:/bin", http_proxy: proxyUrl() };
    const { stdout } = await run("/usr/bin/python3", ["-c", script, `${origin}/py`], { env });
    expect(stdout).toBe("hello /py\n");
    await expect(
      run("/usr/bin/python3", ["-c", script, "http://denied.test/"], { env }),
    ).rejects.toThrow("403");
  });
});
