import { createConnection, type Socket } from "node:net";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { METHODS, type Method, STREAMING } from "../protocol/control.js";
import { rawClient } from "../test/raw-client.js";
import { type ScriptedDaemon, scriptedDaemon } from "../test/scripted-daemon.js";

const FRAMES = 10_000;
const SEED = 20_261_123;

const nasty = fc.constantFrom<unknown>(
  "",
  " ",
  "\u0000",
  "\u001b[2J",
  "__proto__",
  "constructor",
  "../../etc/passwd",
  "A".repeat(5_000),
  "\ud83d\ude00",
  0,
  -0,
  -1,
  1e308,
  Number.MAX_SAFE_INTEGER + 2,
  0.1,
  true,
  null,
  [],
  {},
  [[[[]]]],
  { __proto__: null, toString: 1 },
);
const method = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...Object.keys(METHODS)) },
  // A share of their own, however many methods there are.
  { weight: 1, arbitrary: fc.constantFrom(...STREAMING) },
  { weight: 1, arbitrary: fc.string() },
  {
    weight: 1,
    arbitrary: fc.constantFrom("__proto__", "constructor", "toString", "hasOwnProperty"),
  },
);
const params = fc.oneof(
  fc.dictionary(
    fc.oneof(
      fc.constantFrom(
        "goal",
        "run_id",
        "agent_id",
        "after_seq",
        "limit",
        "kind",
        "params",
        "name",
        "__proto__",
      ),
      fc.string(),
    ),
    fc.oneof(nasty, fc.string(), fc.integer(), fc.double()),
    { maxKeys: 6 },
  ),
  nasty,
  fc.json().map((text) => JSON.parse(text) as unknown),
);
/** Requests that are nearly right. */
const nearly = fc
  .record(
    { jsonrpc: fc.oneof(fc.constant("2.0"), nasty), id: fc.oneof(fc.nat(), nasty), method, params },
    { requiredKeys: [] },
  )
  .map((request) => Buffer.from(JSON.stringify(request)));
/** What JSON parsers trip over. */
const crooked = fc
  .constantFrom(
    '{"jsonrpc":"2.0","id":1,"method":"run.list","params":{"all":1e999}}',
    `{"jsonrpc":"2.0","id":${"9".repeat(400)},"method":"run.list"}`,
    '{"jsonrpc":"2.0","id":1,"id":2,"method":"run.list","method":"nope"}',
    '{"__proto__":{"method":"run.list"},"jsonrpc":"2.0","id":1}',
    '{"jsonrpc":"2.0","id":1,"method":"run.submit","params":{"goal":"\\ud800"}}',
    '{"jsonrpc":"2.0","id":1,"method":"run.submit","params":{"goal":"\\u0000"}}',
    `${"[".repeat(50_000)}`,
    `${'{"a":'.repeat(20_000)}1`,
    `{"jsonrpc":"2.0","id":1,"method":"run.submit","params":${'{"params":'.repeat(60)}{}${"}".repeat(60)}}`,
    "null",
    '"',
    "\ufeff{}",
    "{",
    "}",
    "NaN",
    "\u0000\u0000\u0000",
  )
  .map((text) => Buffer.from(text));
/** A right request with bytes changed, cut out or put in. */
const mutated = fc
  .tuple(
    fc.constantFrom(...Object.keys(METHODS)),
    fc.array(fc.tuple(fc.nat(200), fc.nat(255), fc.constantFrom("set", "cut", "insert")), {
      minLength: 1,
      maxLength: 8,
    }),
  )
  .map(([name, changes]) => {
    const id = "01K0000000000000000000000";
    const right = { goal: "g", run_id: id, agent_id: id, name: "writer" };
    const bytes = [
      ...Buffer.from(JSON.stringify({ jsonrpc: "2.0", id: 1, method: name, params: right })),
    ];
    for (const [at, byte, how] of changes) {
      if (how === "set") bytes[at % bytes.length] = byte;
      else if (how === "cut") bytes.splice(at % bytes.length, 1 + (byte % 9));
      else bytes.splice(at % bytes.length, 0, byte);
    }
    return Buffer.from(bytes);
  });
const bytes = fc.uint8Array({ maxLength: 300 }).map((raw) => Buffer.from(raw));
const frame = fc.oneof(
  { weight: 4, arbitrary: nearly },
  { weight: 3, arbitrary: mutated },
  { weight: 2, arbitrary: bytes },
  { weight: 1, arbitrary: crooked },
);

describe("10,000 random and mutated frames", () => {
  it("harm nothing: each line has its answer, the daemon lives and forgets nobody", async () => {
    await using daemon = await scriptedDaemon();
    const frames = fc.sample(frame, { numRuns: FRAMES, seed: SEED });
    const tally = { answers: 0, streams: 0 };
    // A method that streams is a connection's last: each such frame has one of its own, the others share.
    const calls = frames.filter((data) => !asksForStream(data));
    for (const data of frames) if (asksForStream(data)) await openStream(daemon, data, tally);
    for (let start = 0; start < calls.length; start += 25) {
      await sendAll(daemon, calls.slice(start, start + 25), tally);
    }
    using client = await rawClient(daemon.socketPath);
    client.request("run.list", { all: true });
    expect((await client.next())?.result).toBeDefined();
    const lines = calls.flatMap(linesOf);
    expect(tally.answers).toBe(lines.length + frames.length - calls.length - tally.streams);
    expect(tally.streams).toBeGreaterThan(100);
    expect(daemon.logged).toEqual([]);
  }, 120_000);

  it("and clients that leave in the middle of whatever harm nothing either", async () => {
    await using daemon = await scriptedDaemon();
    const frames = fc.sample(frame, { numRuns: 600, seed: SEED + 1 });
    await Promise.all(
      Array.from({ length: 6 }, async (_, lane) => {
        for (let i = lane; i < frames.length; i += 6) {
          const socket = await connected(daemon.socketPath);
          const data = frames[i] ?? Buffer.alloc(0);
          socket.write(Buffer.concat([data, Buffer.from("\n"), data.subarray(0, i % 40)]));
          if (i % 3 === 0) await new Promise((resolve) => setImmediate(resolve));
          if (i % 2 === 0) socket.destroy();
          else setTimeout(() => socket.destroy(), 20).unref();
        }
      }),
    );
    using client = await rawClient(daemon.socketPath);
    client.request("system.status");
    expect((await client.next())?.result).toBeDefined();
    expect(daemon.logged).toEqual([]);
  }, 60_000);
});

/** What the daemon reads as lines: empty ones say nothing. */
function linesOf(data: Buffer): readonly string[] {
  return data
    .toString("latin1")
    .split("\n")
    .filter((line) => line.replace(/\r$/, "") !== "");
}

function asksForStream(data: Buffer): boolean {
  try {
    const request = JSON.parse(data.toString("utf8")) as { method?: unknown } | null;
    return STREAMING.has(request?.method as Method);
  } catch {
    return false;
  }
}

/** A stream may well have nothing to say: whoever matches nothing waits. A refused request is answered at once. */
async function openStream(daemon: ScriptedDaemon, data: Buffer, tally: Tally): Promise<void> {
  using client = await rawClient(daemon.socketPath);
  client.send(Buffer.concat([data, Buffer.from("\n")]));
  const silence = setTimeout(() => client.socket.destroy(), 30);
  const answer = await client.next();
  clearTimeout(silence);
  if (answer?.["jsonrpc"] === undefined) tally.streams += 1;
  else tally.answers += 1;
}

interface Tally {
  answers: number;
  streams: number;
}

/** One connection's worth: closes its half at the end and reads what comes until the daemon has closed, too. */
async function sendAll(
  daemon: ScriptedDaemon,
  frames: readonly Buffer[],
  tally: Tally,
): Promise<void> {
  using client = await rawClient(daemon.socketPath);
  for (const data of frames) client.send(Buffer.concat([data, Buffer.from("\n")]));
  client.socket.end();
  for (let answer = await client.next(); answer !== undefined; answer = await client.next()) {
    expect(answer["jsonrpc"]).toBe("2.0");
    expect(answer.result === undefined).not.toBe(answer.error === undefined);
    expect(answer.error?.data.kind).not.toBe("internal");
    tally.answers += 1;
  }
}

function connected(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(path);
    socket.on("error", () => {});
    socket.once("connect", () => resolve(socket));
    socket.once("close", () => reject(new Error("closed before it was connected")));
  });
}
