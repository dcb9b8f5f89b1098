import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Json } from "../protocol/json.js";
import { freePort } from "../test/free-port.js";
import { type ScriptedModel, startScriptedModel } from "../test/scripted-model.js";
import type { ScriptedRule } from "../test/scripted-script.js";
import { waitFor } from "./wait.js";
import { makeWorld, useModel, type WireLine, type World } from "./world.js";

const TIMEOUT = 120_000;
const REPO = fileURLToPath(new URL("../../", import.meta.url));
const MODULES = join(REPO, "node_modules");
const PACKAGES = join(MODULES, "@modelcontextprotocol");
const HOSTILE = fileURLToPath(new URL("../test/hostile-mcp-main.js", import.meta.url));

let world: World;
let model: ScriptedModel;
let remote: ChildProcess | undefined;

beforeEach(async () => {
  world = await makeWorld(
    (out) =>
      `read: {allow: [${out}, ${REPO}]}\nwrite: {allow: [${out}]}\nnetwork: {allow: ["127.0.0.1"]}\n`,
  );
});

afterEach(async () => {
  await world[Symbol.asyncDispose]();
  await model.close();
  remote?.kill("SIGKILL");
  remote = undefined;
});

interface Called {
  readonly results: readonly Json[];
  readonly events: readonly WireLine[];
}

/** Starts the daemon with these servers, and has one agent make the calls, one a turn. */
async function callAll(
  servers: string,
  calls: readonly (readonly [string, Json])[],
  wait = calls[0]?.[0] ?? "",
): Promise<Called> {
  await start(servers, calls);
  await listed(wait);
  return submit();
}

async function start(servers: string, calls: readonly (readonly [string, Json])[]): Promise<void> {
  const rules: ScriptedRule[] = calls.map(([name, input]) => ({
    times: 1,
    // Time for a server to tell of a change before the next call.
    delayMs: 300,
    reply: { tool_calls: [{ name: name.replaceAll(".", "__"), input }] },
  }));
  model = await startScriptedModel({ rules: [...rules, { reply: "I am done." }] });
  useModel(world, "openai", model.openai_url);
  world.put(
    "etc/aaos/roles/user.yaml",
    "name: user\nsystem_prompt: Uses tools.\nmessage_template: Use them.\ncapabilities: ['tool: *']\n",
  );
  world.put("etc/aaos/mcp-servers.yaml", `client:\n  servers:\n${servers}`);
  await world.start();
}

async function listed(name: string): Promise<void> {
  await waitFor(`the tool ${name}`, async () => {
    const { stdout } = await world.cli(["tools", "list"]);
    return stdout.includes(name) || undefined;
  });
}

async function submit(): Promise<Called> {
  await world.cli(["submit", "Use the tools", "--role", "user"]);
  const { runs } = await world.json<{ runs: { run_id: string }[] }>(["list", "--all"]);
  const events = await world.events(runs[0]?.run_id ?? "");
  const results = (model.requests.at(-1)?.tool_results ?? []).map(
    (text) => JSON.parse(text) as Json,
  );
  return { results, events };
}

const hostile = (mode: string, more = "") =>
  `    - {name: bad, transport: stdio, command: [node, ${HOSTILE}, ${mode}], capabilities: ["file_read: ${REPO}/*"]${more}}\n`;

describe("MCP servers that agents use", () => {
  it(
    "A18 the filesystem server works under confinement, and the kernel refuses it what its entry does not grant",
    async () => {
      const inside = world.put("out/notes.txt", "the notes\n");
      const secret = world.put("etc/aaos/credentials/key", "sk-the-secret", 0o600);
      const beside = world.put("beside.txt", "not granted\n");
      const server = `    - name: files
      transport: stdio
      command: [node, ${PACKAGES}/server-filesystem/dist/index.js, /]
      capabilities: ["file_read: ${MODULES}/*", "file_read: ${world.out}/*"]\n`;
      const { results, events } = await callAll(server, [
        ["mcp.files.read_text_file", { path: inside }],
        ["mcp.files.read_text_file", { path: secret }],
        ["mcp.files.read_text_file", { path: "/etc/aaos/credentials" }],
        ["mcp.files.read_text_file", { path: beside }],
        ["mcp.files.write_file", { path: join(world.out, "written.txt"), content: "x" }],
      ]);
      expect(results[0]).toMatchObject({ content: "the notes\n" });
      for (const refused of results.slice(1))
        expect(refused).toMatchObject({
          error: {
            kind: "failed",
            message: expect.stringMatching(/ENOENT|EACCES|EROFS|EPERM/) as string,
          },
        });
      expect(JSON.stringify(results)).not.toContain("sk-the-secret");
      const told = events.find((event) => event.kind === "tool_result");
      expect(told?.["execution_surface"]).toBe("worker");
      expect(told?.["confinement"]).toContainEqual(expect.stringMatching(/^landlock /));
    },
    TIMEOUT,
  );

  it(
    "A server over HTTP is reached through the egress proxy alone, with its header from a credential",
    async () => {
      const port = await freePort();
      remote = spawn(
        process.execPath,
        [`${PACKAGES}/server-everything/dist/index.js`, "streamableHttp"],
        {
          env: { PATH: "/usr/bin:/bin", PORT: String(port) },
          stdio: "ignore",
        },
      );
      world.put("etc/aaos/credentials/every", "sk-every-0123456789", 0o600);
      const server = `    - name: every
      transport: http
      url: http://127.0.0.1:${port}/mcp
      headers: {Authorization: {credential: every, prefix: "Bearer "}}
      tools: [echo, get-sum]\n`;
      const { results } = await callAll(server, [
        ["mcp.every.echo", { message: "hello" }],
        ["mcp.every.get-sum", { a: 2, b: 3 }],
        ["mcp.every.get-sum", { a: "two" }],
        ["mcp.every.get-env", {}],
      ]);
      expect(results[0]).toMatchObject({ content: "Echo: hello" });
      expect(results[1]).toMatchObject({ content: expect.stringContaining("5") as string });
      expect(results[2]).toMatchObject({ error: { kind: "invalid_input" } });
      expect(results[3]).toMatchObject({ error: { kind: "not_found" } });
      const { stdout } = await world.cli(["audit", "export"]);
      expect(stdout).toContain('"egress_decided"');
      expect(stdout).not.toContain("sk-every");
    },
    TIMEOUT,
  );

  it(
    "A22-4 a server that cannot be started is in the log with the reason, and holds up nothing",
    async () => {
      const server = `    - {name: gone, transport: stdio, command: [nonesuch]}\n`;
      await start(server, []);
      await world.daemon().until(/"mcp_server":"gone".*nonesuch/);
      expect((await world.cli(["doctor"])).stdout).toMatch(/gone/);
      expect((await submit()).events.at(-1)?.kind).toBeDefined();
    },
    TIMEOUT,
  );
});

describe("MCP servers that mean harm", () => {
  it(
    "What a server says of its tools is marked as its words, without control characters; what is no tool is left out",
    async () => {
      await callAll(hostile("describes"), [["mcp.bad.act", { t: "x" }]]);
      const { tools } = await world.json<{ tools: { name: string; description: string }[] }>([
        "tools",
        "list",
      ]);
      const theirs = tools.filter(({ name }) => name.startsWith("mcp."));
      expect(theirs.map(({ name }) => name)).toEqual(["mcp.bad.act"]);
      expect(theirs[0]?.description).toMatch(/MCP server bad.*data/);
      expect(theirs[0]?.description).not.toMatch(/[\p{Cc}\p{Cf}]/u);
      expect(theirs[0]?.description.length).toBeLessThan(1_300);
    },
    TIMEOUT,
  );

  it(
    "An expression in a schema is not run here, however long it would take",
    async () => {
      const { results } = await callAll(hostile("expression"), [
        ["mcp.bad.act", { t: `${"a".repeat(60)}!` }],
      ]);
      expect(results[0]).toMatchObject({ content: "done" });
    },
    TIMEOUT,
  );

  it(
    "A result that is too large is cut, and a line without an end ends the server, not the daemon",
    async () => {
      const { results } = await callAll(hostile("large"), [["mcp.bad.act", {}]]);
      expect(JSON.stringify(results[0]).length).toBeLessThan(70_000);
      await world.stop();
      await model.close();
      const flood = await callAll(hostile("floods"), [["mcp.bad.act", {}]]);
      expect(flood.results[0]).toMatchObject({ error: { kind: "failed" } });
      expect((await world.cli(["list"])).code).toBe(0);
      await listed("mcp.bad.act");
    },
    TIMEOUT,
  );

  it(
    "A call that hangs times out as an outcome that is unknown",
    async () => {
      const { results } = await callAll(hostile("hangs", ", timeout_s: 1"), [["mcp.bad.act", {}]]);
      expect(results[0]).toMatchObject({
        error: { kind: "timeout", message: expect.stringContaining("unknown") as string },
      });
    },
    TIMEOUT,
  );

  it(
    "Answers under wrong numbers, requests of its own and babble change nothing",
    async () => {
      const { results } = await callAll(hostile("misnumbers"), [["mcp.bad.act", {}]]);
      expect(results[0]).toMatchObject({ content: "mine" });
      await world.stop();
      await model.close();
      const babble = await callAll(hostile("babbles"), [["mcp.bad.act", {}]]);
      expect(babble.results[0]).toMatchObject({ error: { kind: "failed" } });
    },
    TIMEOUT,
  );

  it(
    "A schema that changes under way is the one that the next call is held to, and the change is in the journal",
    async () => {
      const { results } = await callAll(hostile("changes"), [
        ["mcp.bad.act", { n: 1 }],
        ["echo", { message: "meanwhile" }],
        ["mcp.bad.act", { n: 1 }],
        ["mcp.bad.act", { t: "now" }],
      ]);
      expect(results[0]).toMatchObject({ content: "changed" });
      expect(results[2]).toMatchObject({ error: { kind: "invalid_input" } });
      expect(results[3]).toMatchObject({ content: "changed" });
      const { stdout } = await world.cli(["audit", "export"]);
      expect(stdout).toContain('"mcp_tools_changed"');
    },
    TIMEOUT,
  );
});
