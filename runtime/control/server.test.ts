import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { rawClient } from "../test/raw-client.js";
import { scriptedDaemon } from "../test/scripted-daemon.js";

describe("the control socket", () => {
  const dirs: string[] = [];
  afterEach(() => {
    for (const dir of dirs.splice(0)) rmSync(dir, { recursive: true, force: true });
  });
  const tempSocket = () => {
    const dir = mkdtempSync(join(tmpdir(), "aaos-sock-"));
    dirs.push(dir);
    return join(dir, "agentd.sock");
  };

  it("is a socket of mode 0660 while it serves, and gone afterwards", async () => {
    const socketPath = tempSocket();
    {
      await using daemon = await scriptedDaemon({ socketPath });
      expect(statSync(daemon.socketPath).mode & 0o777).toBe(0o660);
      expect(statSync(daemon.socketPath).isSocket()).toBe(true);
    }
    expect(existsSync(socketPath)).toBe(false);
  });

  it("refuses to start where a daemon answers, which goes on serving", async () => {
    await using daemon = await scriptedDaemon();
    await expect(scriptedDaemon({ socketPath: daemon.socketPath })).rejects.toMatchObject({
      code: "already_running",
    });
    using client = await rawClient(daemon.socketPath);
    client.request("system.status");
    expect((await client.next())?.result).toMatchObject({ default_provider: "builtin" });
  });

  it("takes the place of a socket that nobody answers on", async () => {
    const socketPath = tempSocket();
    await leaveStaleSocket(socketPath);
    await using daemon = await scriptedDaemon({ socketPath });
    using client = await rawClient(daemon.socketPath);
    client.request("run.list");
    expect((await client.next())?.result).toEqual({ runs: [] });
  });

  it("never removes what is no socket", async () => {
    const socketPath = tempSocket();
    writeFileSync(socketPath, "precious");
    await expect(scriptedDaemon({ socketPath })).rejects.toMatchObject({ code: "invalid_file" });
    expect(readFileSync(socketPath, "utf8")).toBe("precious");
  });

  it("names a path that is too long for a socket", async () => {
    const socketPath = join(tmpdir(), "x".repeat(120));
    await expect(scriptedDaemon({ socketPath })).rejects.toMatchObject({ code: "usage" });
  });
});

describe("a request", () => {
  it("is answered in its turn, also when many come in one write", async () => {
    await using daemon = await scriptedDaemon();
    using client = await rawClient(daemon.socketPath);
    const line = (id: number, method: string) =>
      `${JSON.stringify({ jsonrpc: "2.0", id, method })}\n`;
    client.send(line(1, "run.list") + line(2, "system.doctor") + line(3, "tool.list"));
    const answers = [await client.next(), await client.next(), await client.next()];
    expect(answers.map((answer) => answer?.id)).toEqual([1, 2, 3]);
    expect(answers[2]?.result?.["tools"]).toHaveLength(1);
  });

  it("may come in pieces, and be the last before the client closes its half", async () => {
    await using daemon = await scriptedDaemon();
    using client = await rawClient(daemon.socketPath);
    for (const piece of ['{"jsonrpc":"2.0","id":"a",', '"method":"run.', 'list"}\n']) {
      client.send(piece);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    client.socket.end();
    expect(await client.rest()).toEqual([{ jsonrpc: "2.0", id: "a", result: { runs: [] } }]);
  });

  const refused: readonly [string, string, number, string, RegExp][] = [
    ["no JSON", "{nope", -32700, "invalid_request", /no JSON/],
    ["an array", "[]", -32600, "invalid_request", /expected object/],
    ["no version", '{"id":1,"method":"run.list"}', -32600, "invalid_request", /jsonrpc/],
    ["a notification", '{"jsonrpc":"2.0","method":"run.list"}', -32600, "invalid_request", /^id:/],
    [
      "an unknown method",
      '{"jsonrpc":"2.0","id":1,"method":"run.fly"}',
      -32601,
      "method_not_found",
      /run\.fly/,
    ],
    [
      "a method of every object",
      '{"jsonrpc":"2.0","id":1,"method":"constructor"}',
      -32601,
      "method_not_found",
      /constructor/,
    ],
    [
      "a wrong field",
      '{"jsonrpc":"2.0","id":1,"method":"run.submit","params":{"goal":"x","max_tokens":-1}}',
      -32602,
      "invalid_request",
      /^max_tokens:/,
    ],
    [
      "an unknown field",
      '{"jsonrpc":"2.0","id":1,"method":"run.submit","params":{"goal":"x","gaol":1}}',
      -32602,
      "invalid_request",
      /gaol/,
    ],
    [
      "half a surrogate pair",
      '{"jsonrpc":"2.0","id":1,"method":"run.submit","params":{"goal":"\\ud800"}}',
      -32700,
      "invalid_request",
      /surrogate/,
    ],
    [
      "deep nesting",
      `{"jsonrpc":"2.0","id":1,"method":"run.list","params":${"[".repeat(100_000)}`,
      -32600,
      "invalid_request",
      /deeper than 64/,
    ],
  ];
  it.each(refused)(
    "is refused as %s, and the connection goes on",
    async (_what, line, code, kind, message) => {
      await using daemon = await scriptedDaemon();
      using client = await rawClient(daemon.socketPath);
      client.send(`${line}\n`);
      const error = (await client.next())?.error;
      expect(error).toMatchObject({ code, data: { kind } });
      expect(error?.message).toMatch(message);
      client.request("run.list");
      expect((await client.next())?.result).toEqual({ runs: [] });
    },
  );

  it("is refused as no UTF-8", async () => {
    await using daemon = await scriptedDaemon();
    using client = await rawClient(daemon.socketPath);
    client.send(Uint8Array.of(0x7b, 0xff, 0xfe, 0x0a));
    expect((await client.next())?.error).toMatchObject({ code: -32700 });
  });

  it("A24-24 longer than 1 MiB is refused and the connection closed; one just below is taken", async () => {
    await using daemon = await scriptedDaemon();
    {
      using client = await rawClient(daemon.socketPath);
      client.send("x".repeat(1_048_577));
      const answers = await client.rest();
      expect(answers).toHaveLength(1);
      expect(answers[0]?.error).toMatchObject({
        code: -32600,
        data: { kind: "request_too_large" },
      });
    }
    using client = await rawClient(daemon.socketPath);
    const line = '{"jsonrpc":"2.0","id":1,"method":"run.list"}';
    client.send(`${line}${" ".repeat(1_048_576 - line.length)}\n`);
    expect((await client.next())?.result).toEqual({ runs: [] });
  });

  it("that fails says which kind, where and what to do next", async () => {
    await using daemon = await scriptedDaemon();
    using client = await rawClient(daemon.socketPath);
    client.request("audit.verify");
    expect((await client.next())?.error).toEqual({
      code: -32000,
      message: "row 3 was changed",
      data: {
        kind: "audit_broken",
        op: "verify",
        hint: expect.stringContaining("journal") as string,
      },
    });
  });

  it("that meets a defect gets `internal` without a stack, and the defect is logged once", async () => {
    await using daemon = await scriptedDaemon({
      deps: {
        status: () => {
          throw new TypeError("secret place /var/lib/x.ts:7");
        },
      },
    });
    using client = await rawClient(daemon.socketPath);
    client.request("system.status");
    const answer = await client.next();
    expect(answer?.error).toMatchObject({ code: -32000, data: { kind: "internal" } });
    expect(JSON.stringify(answer)).not.toContain("secret place");
    expect(daemon.logged).toHaveLength(1);
    expect(daemon.logged[0]).toContain("secret place");
  });
});

describe("clients", () => {
  it("over the limit push out the one idle for longest, never one that is being answered", async () => {
    await using daemon = await scriptedDaemon({ server: { maxConnections: 2 } });
    using follower = await rawClient(daemon.socketPath);
    follower.request("audit.tail");
    using idle = await rawClient(daemon.socketPath);
    idle.request("run.list");
    await idle.next();
    using newcomer = await rawClient(daemon.socketPath);
    newcomer.request("run.list");
    expect((await newcomer.next())?.result).toEqual({ runs: [] });
    expect(await idle.next()).toBeUndefined();
    newcomer.request("audit.tail");
    await new Promise((resolve) => setTimeout(resolve, 50));
    using refused = await rawClient(daemon.socketPath);
    expect((await refused.next())?.error?.data.kind).toBe("unavailable");
    daemon.journal.append({ actor: "daemon", kind: "daemon_stopped", reason: "test" });
    expect((await follower.next())?.kind).toBe("event");
  });

  it("that have just come are let ask: over the limit the next is refused with the reason, and none is cut off in silence", async () => {
    await using daemon = await scriptedDaemon({ server: { maxConnections: 3 } });
    const clients = await Promise.all([1, 2, 3, 4].map(() => rawClient(daemon.socketPath)));
    await new Promise((resolve) => setTimeout(resolve, 50));
    for (const client of clients) client.request("run.submit", { goal: "Go" });
    const answers = await Promise.all(clients.map((client) => client.next()));
    for (const client of clients) client[Symbol.dispose]();
    expect(answers.filter((answer) => answer?.result !== undefined)).toHaveLength(3);
    const [refused] = answers.filter((answer) => answer?.error !== undefined);
    expect(refused?.error).toMatchObject({
      message: "3 clients are being served",
      data: { kind: "unavailable" },
    });
  });

  it("of others never take the last places: an admin can always stop what they do", async () => {
    const who = { is: { uid: 1000, groups: [1000], admin: false } };
    await using daemon = await scriptedDaemon({
      server: { maxConnections: 66, peerOf: () => who.is },
    });
    using first = await rawClient(daemon.socketPath);
    first.request("run.list");
    await first.next();
    first.request("audit.tail");
    using second = await rawClient(daemon.socketPath);
    second.request("audit.tail");
    await new Promise((resolve) => setTimeout(resolve, 50));
    using third = await rawClient(daemon.socketPath);
    expect((await third.next())?.error?.data.kind).toBe("unavailable");
    who.is = { uid: 0, groups: [0], admin: true };
    using admin = await rawClient(daemon.socketPath);
    admin.request("run.list");
    expect((await admin.next())?.result).toEqual({ runs: [] });
  });

  it("are let go when the daemon closes, also those that follow", async () => {
    const daemon = await scriptedDaemon();
    using follower = await rawClient(daemon.socketPath);
    follower.request("audit.tail");
    daemon.journal.append({ actor: "daemon", kind: "daemon_stopped", reason: "test" });
    await follower.next();
    const began = Date.now();
    await daemon[Symbol.asyncDispose]();
    expect(await follower.next()).toBeUndefined();
    expect(Date.now() - began).toBeLessThan(900);
  });
});

/** A socket file whose owner is gone without removing it, as after a crash. */
async function leaveStaleSocket(path: string): Promise<void> {
  const { execFileSync } = await import("node:child_process");
  const script = `require("net").createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, "SIGKILL"))`;
  try {
    execFileSync(process.execPath, ["-e", script], { stdio: "ignore" });
  } catch {
    // Killed, as was asked.
  }
  expect(statSync(path).isSocket()).toBe(true);
}
