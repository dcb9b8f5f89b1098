import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import type { Server } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Json } from "../protocol/json.js";
import { openTestAgent, type TestAgent, testBase } from "../test/confined-agent.js";
import { httpServer, portOf, upstreamProxy } from "../test/egress-world.js";

const PROGRAMS = "git node python3 curl sh".split(" ").map((name) => `exec: ${name}`);
let server: Server;
let other: Server;
let proxy: Awaited<ReturnType<typeof upstreamProxy>>;
let hits: string[];
/** Reaches `127.0.0.1:PORT` of `server` and nothing else. */
let agent: TestAgent;
/** Reaches `granted.test` on the usual ports, behind the operator's proxy. */
let named: TestAgent;
let origin: string;

beforeAll(async () => {
  const base = await testBase();
  const repo = join(base, "in/repo.git");
  makeRepository(join(base, "in"));
  hits = [];
  server = await httpServer((request, response) => {
    const path = (request.url ?? "").split("?")[0] ?? "";
    hits.push(path);
    if (path === "/moved")
      return response.writeHead(302, { location: `http://127.0.0.1:${portOf(other)}/x` }).end();
    if (path === "/slow") return response.writeHead(200).write("begun\n");
    if (!path.startsWith("/repo.git/"))
      return response.setHeader("content-type", "text/plain").end(`hello ${path}`);
    try {
      return response.end(readFileSync(join(repo, path.slice("/repo.git".length))));
    } catch {
      return response.writeHead(404).end();
    }
  });
  other = await httpServer((request, response) => {
    hits.push(`other ${request.url}`);
    response.end("not granted");
  });
  const host = `127.0.0.1:${portOf(server)}`;
  origin = `http://${host}`;
  agent = await openTestAgent(base, {
    grants: [
      "file_read: {base}/work/*",
      "file_write: {base}/work/*",
      `network: ${host}`,
      ...PROGRAMS,
    ],
    network: ["127.0.0.1"],
  });
  proxy = await upstreamProxy(new Map([["granted.test:80", portOf(server)]]));
  named = await openTestAgent(await testBase(), {
    grants: ["file_read: {base}/work/*", "network: granted.test", ...PROGRAMS],
    network: ["granted.test", "denied.test"],
    proxy: `http://127.0.0.1:${portOf(proxy.server)}`,
  });
});
afterAll(async () => {
  await agent[Symbol.asyncDispose]();
  await named[Symbol.asyncDispose]();
  for (const each of [server, other, proxy.server]) each.close();
});

function makeRepository(dir: string): void {
  mkdirSync(dir, { recursive: true });
  const who = ["-c", "user.name=t", "-c", "user.email=t@t"];
  const git = (...args: string[]) => execFileSync("git", args, { cwd: dir, stdio: "ignore" });
  git("init", "-q", "-b", "main", "source");
  git("-C", "source", ...who, "commit", "-q", "--allow-empty", "-m", "first");
  git("clone", "-q", "--bare", "source", "repo.git");
  git("-C", "repo.git", "update-server-info");
}

async function run(program: string, args: string[], more: Record<string, Json> = {}, on = agent) {
  const result = await on.call("exec", { program, args, ...more });
  return (result.ok ? result.output : result.error) as unknown as {
    readonly [key: string]: unknown;
    readonly stdout: string;
  };
}
const fetchPage = async (url: string, on = agent) => {
  const result = await on.call("web_fetch", { url });
  return (result.ok ? result.output : result.error) as unknown as Record<string, unknown>;
};
const URLLIB =
  "import sys,urllib.request;print(urllib.request.urlopen(sys.argv[1]).read().decode())";

describe("a host that is granted", () => {
  it("is fetched by the web worker, in a process of its own", async () => {
    expect(await fetchPage(`${origin}/page`)).toMatchObject({ status: 200, body: "hello /page" });
    const result = agent.events().findLast((event) => event.kind === "tool_result");
    expect(result).toMatchObject({ execution_surface: "worker" });
    const verdict = agent.events().findLast((event) => event.kind === "egress_decided");
    expect(verdict).toMatchObject({ host: "127.0.0.1", verdict: "allowed", address: "127.0.0.1" });
  });

  it("is reached by curl, python3 and git as they are", async () => {
    expect((await run("curl", ["-sS", `${origin}/curl`])).stdout).toBe("hello /curl");
    expect((await run("python3", ["-c", URLLIB, `${origin}/python`])).stdout).toBe(
      "hello /python\n",
    );
    const cloned = await run("git", ["clone", "-q", `${origin}/repo.git`, "cloned"]);
    expect(cloned).toMatchObject({ exit_code: 0 });
    expect((await run("git", ["-C", "cloned", "log", "--format=%s"])).stdout).toBe("first\n");
  });

  it("is reached without any proxy setting too: names resolve inside, and ports 80 are captured", async () => {
    const script =
      "fetch('http://granted.test/node').then(r=>r.text()).then(console.log,e=>console.log(e.cause))";
    expect((await run("node", ["-e", script], {}, named)).stdout).toBe("hello /node\n");
    const bare = await run(
      "sh",
      [
        "-c",
        "unset http_proxy HTTP_PROXY ALL_PROXY all_proxy; exec curl -sS http://granted.test/bare",
      ],
      {},
      named,
    );
    expect(bare.stdout).toBe("hello /bare");
  });
});

describe("a host that is not granted", () => {
  it("is denied to the web worker before it is asked, and past the check by the proxy", async () => {
    const port = portOf(other);
    expect(await fetchPage(`http://127.0.0.1:${port}/x`)).toMatchObject({
      kind: "denied",
      layer: "token",
      capability: `network: 127.0.0.1:${port}`,
    });
    const request = {
      url: `http://127.0.0.1:${port}/x`,
      max_bytes: 100,
      timeout_ms: 5_000,
      as: "raw",
    } as const;
    const proof = { kind: "network", host: "127.0.0.1", port } as never;
    const anyway = await agent.unchecked().web.fetch(proof, request, new AbortController().signal);
    expect(anyway).toMatchObject({ ok: false, kind: "denied" });
    expect(hits.filter((hit) => hit.startsWith("other"))).toEqual([]);
  });

  it("is denied to programs, by whatever way, with the capability that would have allowed it", async () => {
    const port = portOf(other);
    const ran = await run("curl", ["-sS", "-m", "5", `http://127.0.0.1:${port}/x`]);
    expect(ran.stdout).toContain(`no token grants 'network: 127.0.0.1:${port}'`);
    expect(ran["denials"]).toMatchObject([{ capability: `network: 127.0.0.1:${port}` }]);
    const direct = `import socket
for kind, to in ((socket.SOCK_STREAM, ("127.0.0.1", ${port})), (socket.SOCK_STREAM, ("1.1.1.1", 443))):
    s = socket.socket(socket.AF_INET, kind); s.settimeout(3)
    try: s.connect(to); print("connected")
    except OSError as e: print("refused")`;
    expect((await run("python3", ["-c", direct])).stdout).toBe("refused\nrefused\n");
    expect(hits.filter((hit) => hit.startsWith("other"))).toEqual([]);
  });

  it("A22-28 T15 is not reached by a redirect either", async () => {
    expect(await fetchPage(`${origin}/moved`)).toMatchObject({ kind: "denied" });
    const ran = await run("curl", ["-sSL", "-m", "5", `${origin}/moved`]);
    expect(ran.stdout).not.toContain("not granted\n");
    expect(hits.filter((hit) => hit.startsWith("other"))).toEqual([]);
  });

  it("T06 has no name: the stub answers granted names only", async () => {
    const script = `import socket
for name in ("granted.test", "denied.test", "secret.evil.test"):
    try: socket.getaddrinfo(name, 80); print(name, "resolves")
    except OSError: print(name, "does not")`;
    expect((await run("python3", ["-c", script], {}, named)).stdout).toBe(
      "granted.test resolves\ndenied.test does not\nsecret.evil.test does not\n",
    );
  });

  it("A22-34 is beyond any other kind of socket", async () => {
    const script = `import socket
for family, kind, protocol in ((socket.AF_UNIX, 1, 0), (16, 3, 0), (17, 3, 0), (2, 3, 1), (2, 1, 262), (40, 1, 0)):
    try: socket.socket(family, kind, protocol); print("made")
    except OSError as e: print("refused")`;
    const { stdout } = await run("python3", ["-c", script]);
    expect(stdout).toBe("refused\n".repeat(6));
  });
});

describe("a token that is revoked", () => {
  it("T17 cuts a connection that is open, and the next one is refused", async () => {
    const base = await testBase();
    const brief = await openTestAgent(base, {
      grants: ["file_read: {base}/work/*", `network: 127.0.0.1:${portOf(server)}`, ...PROGRAMS],
      network: ["127.0.0.1"],
    });
    const before = hits.length;
    const running = run("curl", ["-sS", "-m", "30", `${origin}/slow`], {}, brief);
    for (let tries = 0; tries < 200 && hits.length === before; tries++)
      await new Promise((resolve) => setTimeout(resolve, 20));
    const at = performance.now();
    brief.revoke('"network"');
    expect((await running)["exit_code"]).not.toBe(0);
    expect(performance.now() - at).toBeLessThan(5_000);
    expect(await fetchPage(`${origin}/page`, brief)).toMatchObject({ kind: "denied" });
    await brief[Symbol.asyncDispose]();
  });
});

describe("an agent without the network", () => {
  it("T01 has programs that can make no socket at all", async () => {
    const bare = await openTestAgent(await testBase(), {
      grants: ["file_read: {base}/work/*", "exec: python3"],
    });
    const script = "import socket\ntry: socket.socket()\nexcept OSError as e: print(e.errno)";
    expect((await run("python3", ["-c", script], {}, bare)).stdout).toBe("1\n");
    expect((await run("python3", ["-c", script])).stdout).toBe("");
    await bare[Symbol.asyncDispose]();
  });
});
