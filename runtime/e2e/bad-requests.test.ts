import { chmodSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { rawClient } from "../test/raw-client.js";
import { makeWorld, type World } from "./world.js";

const TIMEOUT = 60_000;
const NOBODY = 65_534;
let world: World;

beforeAll(async () => {
  world = await makeWorld();
  await world.start();
  // Refused goals: two ids whose beginning is the same, as ULIDs of one day are.
  await world.cli(["submit", "make me happy"]);
  await world.cli(["submit", "make me happy again"]);
}, TIMEOUT);

afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

describe("an id that names nothing, or too much", () => {
  it.each([
    ["status", "zzzzzz"],
    ["stop", "zzzzzz"],
    ["logs", "zzzzzz"],
    ["result", "zzzzzz"],
  ])(
    "%s of an unknown id: exit code 2 and how to list them",
    async (verb, id) => {
      const ended = await world.cli([verb, id]);
      expect(ended.code).toBe(2);
      expect(ended.stderr).toMatch(/zzzzzz/i);
      expect(ended.stderr).toMatch(/agentd list --all/);
    },
    TIMEOUT,
  );

  it.each([["status"], ["stop"], ["logs"], ["result"]])(
    "%s of an ambiguous id lists the candidates: exit code 2",
    async (verb) => {
      const { runs } = await world.json<{ runs: { run_id: string }[] }>(["list", "--all"]);
      const ids = runs.map(({ run_id }) => run_id);
      expect(ids).toHaveLength(2);
      const ended = await world.cli([verb, ids[0]?.slice(0, 4) ?? ""]);
      expect(ended.code).toBe(2);
      for (const id of ids) expect(ended.stderr).toContain(id);
    },
    TIMEOUT,
  );

  it.each([
    ["status", "abc"],
    ["stop", "abc"],
    ["result", "abc"],
    ["logs", "x".repeat(40)],
  ])(
    "%s %s: an id has 4 to 26 characters: exit code 2",
    async (verb, id) => {
      const ended = await world.cli([verb, id]);
      expect(ended.code).toBe(2);
      expect(ended.stderr).toMatch(/4|no id/);
    },
    TIMEOUT,
  );

  it(
    "a unique suffix of 4 characters, in lower case too, is enough",
    async () => {
      const { runs } = await world.json<{ runs: { run_id: string }[] }>(["list", "--all"]);
      const id = runs[0]?.run_id ?? "";
      expect((await world.cli(["status", id.slice(-6).toLowerCase()])).code).toBe(0);
    },
    TIMEOUT,
  );
});

describe("malformed frames on the socket", () => {
  it.each([
    ["no JSON", "hello\n", -32700],
    ["no request", "[]\n", -32600],
    ["a notification", '{"jsonrpc":"2.0","method":"run.list"}\n', -32600],
    ["an unknown method", '{"jsonrpc":"2.0","id":1,"method":"run.lits"}\n', -32601],
    ["wrong params", '{"jsonrpc":"2.0","id":1,"method":"run.list","params":{"al":1}}\n', undefined],
    ["a line over 1 MiB", `{"x":"${"y".repeat(1_100_000)}"}\n`, -32600],
  ])(
    "%s is answered with an error that says what is wrong",
    async (_what, line, code) => {
      using client = await rawClient(world.socket);
      client.send(line);
      const answer = await client.next();
      expect(answer?.error?.message).not.toBe("");
      expect(answer?.error?.data.kind).not.toBe("internal");
      expect(answer?.error?.data.hint).not.toBe("");
      if (code !== undefined) expect(answer?.error?.code).toBe(code);
      expect((await world.cli(["list"])).code).toBe(0);
    },
    TIMEOUT,
  );

  it(
    "half a frame and a hang-up, a thousand times, leave the daemon as it was",
    async () => {
      for (let i = 0; i < 1_000; i++) {
        const client = await rawClient(world.socket);
        client.send('{"jsonrpc":"2.0","id":1,"meth');
        client.socket.destroy();
      }
      expect((await world.cli(["list"])).code).toBe(0);
    },
    TIMEOUT,
  );
});

describe("a daemon that cannot be reached", () => {
  it(
    "that does not run: exit code 3 and how to start it",
    async () => {
      await using other = await makeWorld();
      const ended = await other.cli(["list"]);
      expect(ended.code).toBe(3);
      expect(ended.stderr).toMatch(/no agentd runs here/);
      expect(ended.stderr).toMatch(/agentd run/);
      const asJson = await other.cli(["list", "--json"]);
      expect(asJson.code).toBe(3);
      expect(JSON.parse(asJson.stderr)).toMatchObject({ error: { kind: "daemon_unreachable" } });
    },
    TIMEOUT,
  );

  it.skipIf(process.getuid?.() !== 0)(
    "whose socket is closed to this user: exit code 3 and which group to join; its twin in reach works",
    async () => {
      const denied = await world.cli(["list"], { uid: NOBODY });
      expect(denied).toMatchObject({ code: 3 });
      expect(denied.stderr).toMatch(/may not use the socket/);
      expect(denied.stderr).toMatch(/adduser/);
      for (const dir of ["run/agentd", "run"]) chmodSync(`${world.root}/${dir}`, 0o755);
      const still = await world.cli(["list"], { uid: NOBODY });
      expect(still).toMatchObject({ code: 3 });
      chmodSync(world.socket, 0o666);
      expect(await world.cli(["list"], { uid: NOBODY })).toMatchObject({ code: 0 });
    },
    TIMEOUT,
  );

  it(
    "that ends while it is followed: exit code 3",
    async () => {
      await using other = await makeWorld();
      await other.start();
      const tail = other.begin(["audit", "tail"]);
      await tail.until(/daemon_started/);
      expect((await other.stop()).code).toBe(0);
      expect((await tail.ended).code).toBe(3);
    },
    TIMEOUT,
  );
});

describe("what the builtin provider cannot understand", () => {
  it(
    "A22-9 is refused with the way to a model; no document is made up and nothing succeeds",
    async () => {
      const ended = await world.cli(["submit", "make me happy"]);
      expect(ended.code).toBe(1);
      expect(ended.stderr).toMatch(/agentd configure/);
      const { runs } = await world.json<{ runs: { state: string }[] }>(["list", "--all"]);
      expect(new Set(runs.map(({ state }) => state))).toEqual(new Set(["failed"]));
    },
    TIMEOUT,
  );
});
