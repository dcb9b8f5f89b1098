import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { AgentCard, Role, TaskState } from "@a2a-js/sdk";
import { ClientFactory, JsonRpcTransportFactory } from "@a2a-js/sdk/client";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { freePort } from "../test/free-port.js";
import { type ScriptedModel, startScriptedModel } from "../test/scripted-model.js";
import type { ScriptedRule } from "../test/scripted-script.js";
import { goalOf, PLANNER } from "./scripted-team.js";
import { waitFor } from "./wait.js";
import { makeWorld, useModel, type World } from "./world.js";

const TIMEOUT = 120_000;
const INSPECTOR = fileURLToPath(
  new URL(
    "../../build/inspector/node_modules/@modelcontextprotocol/inspector/cli/build/index.js",
    import.meta.url,
  ),
);

let world: World;
let model: ScriptedModel;
let url: string;
let token: string;

/** One generalist that writes the file its goal names and answers with its path. */
const WRITES: readonly ScriptedRule[] = [
  { match: { system: PLANNER }, reply: (request) => JSON.stringify(planFor(goalOf(request))) },
  { match: { last: /^HOLD/ }, delayMs: 600_000, reply: "never" },
  { match: { tool_result: /bytes_written/ }, reply: ({ all }) => pathIn(all) },
  {
    reply: ({ all }) => ({
      tool_calls: [{ name: "file_write", input: { path: pathIn(all), content: "# Done\n" } }],
    }),
  },
];
const pathIn = (text: string) => /\/\S+\.md/.exec(text)?.[0] ?? "";
const planFor = (goal: string) => ({
  steps: [{ id: "write", role: "writes", params: { task_description: goal } }],
  final_output: pathIn(goal),
});
const DIRECT = { role: "writes" };

beforeEach(async () => {
  world = await makeWorld();
  world.put(
    "etc/aaos/roles/writes.yaml",
    `name: writes
system_prompt: Writes.
message_template: "{task_description}"
parameters: {task_description: {type: string, required: true}}
capabilities: ["file_write: ${world.out}/*"]
`,
  );
  const port = await freePort();
  world.put(
    "etc/aaos/mcp-servers.yaml",
    `server: {enabled: true, bind: "127.0.0.1:${port}", a2a: true}\n`,
  );
  model = await startScriptedModel({ rules: WRITES });
  useModel(world, "openai", model.openai_url);
  await world.start();
  url = `http://127.0.0.1:${port}`;
  token = world.read("var/lib/aaos/mcp.token").trim();
});

afterEach(async () => {
  await world[Symbol.asyncDispose]();
  await model.close();
});

async function connect(mode: "auto" | "legacy"): Promise<Client> {
  const client = new Client({ name: "test", version: "1" }, { versionNegotiation: { mode } });
  const headers = { authorization: `Bearer ${token}` };
  await client.connect(
    new StreamableHTTPClientTransport(new URL(`${url}/mcp`), { requestInit: { headers } }),
  );
  return client;
}

async function call(client: Client, name: string, input: Record<string, unknown>) {
  const { structuredContent } = await client.callTool({ name, arguments: input });
  return structuredContent as Record<string, unknown>;
}

function ended(client: Client, run_id: string) {
  return waitFor(`the run ${run_id}`, async () => {
    const answer = await call(client, "get_agent_status", { run_id });
    return answer["status"] === "running" ? undefined : answer;
  });
}

describe("the MCP server", () => {
  it.each(["auto", "legacy"] as const)(
    "The official client (%s) lists every tool, has a goal carried out, reads its result and cancels a run",
    async (mode) => {
      const client = await connect(mode);
      expect(client.getProtocolEra()).toBe(mode === "auto" ? "modern" : "legacy");
      const { tools } = await client.listTools();
      expect(tools.map(({ name }) => name)).toEqual(
        expect.arrayContaining([
          "submit_goal",
          "get_agent_status",
          "cancel_agent",
          "list_runs",
          "get_result",
          "list_approvals",
          "respond_approval",
        ]),
      );
      const output = join(world.out, `${mode}.md`);
      const task_description = `Write ${output}`;
      const { run_id } = await call(client, "submit_goal", {
        goal: task_description,
        ...DIRECT,
        params: { task_description },
      });
      expect(await ended(client, String(run_id))).toMatchObject({ state: "succeeded" });
      const result = await call(client, "get_result", { run_id });
      expect(JSON.stringify(result)).toContain("Done");
      const held = { goal: "HOLD", ...DIRECT, params: { task_description: "HOLD" } };
      const { run_id: other } = await call(client, "submit_goal", held);
      expect(await call(client, "cancel_agent", { run_id: other })).toEqual({ cancelled: true });
      expect(await call(client, "cancel_agent", { run_id: other })).toEqual({ cancelled: false });
      expect(
        await call(client, "get_agent_status", { run_id: "00000000000000000000000000" }),
      ).toMatchObject({ status: "notfound" });
      const wrong = await client.callTool({ name: "submit_goal", arguments: { goal: "" } });
      expect(wrong.isError).toBe(true);
      await client.close();
    },
    TIMEOUT,
  );

  it(
    "A run that waits for an approval is told, and goes on when a client answers",
    async () => {
      world.put(
        "etc/aaos/roles/asks.yaml",
        `name: asks
system_prompt: Asks.
message_template: "{task_description}"
parameters: {task_description: {type: string, required: true}}
approval_required: [file_write]
capabilities: ["file_write: ${world.out}/*"]
`,
      );
      await world.stop();
      await world.start();
      const client = await connect("auto");
      const task_description = `Write ${join(world.out, "asked.md")}`;
      const params = { task_description };
      const { run_id } = await call(client, "submit_goal", {
        goal: task_description,
        role: "asks",
        params,
      });
      const pending = await waitFor("the approval", async () => {
        const { pending: all } = (await call(client, "list_approvals", {})) as {
          pending: { id: string }[];
        };
        return all[0];
      });
      expect(pending).toMatchObject({ tool: "file_write" });
      await call(client, "respond_approval", { id: pending.id, decision: "approve" });
      expect(await ended(client, String(run_id))).toMatchObject({ state: "succeeded" });
      await client.close();
    },
    TIMEOUT,
  );

  it(
    "A24-35 nobody gets in without the token, with a foreign Origin, or by a name that was made to point here",
    async () => {
      const post = (headers: Record<string, string>) =>
        status(`${url}/mcp`, {
          "content-type": "application/json",
          accept: "application/json, text/event-stream",
          ...headers,
        });
      const bearer = { authorization: `Bearer ${token}` };
      expect(await post({})).toBe(401);
      expect(await post({ authorization: "Bearer wrong" })).toBe(401);
      expect(await post({ ...bearer, origin: "https://evil.example" })).toBe(403);
      expect(await post({ ...bearer, origin: "null" })).toBe(403);
      expect(await post({ ...bearer, host: "rebound.example:80" })).toBe(403);
      expect(await post({ ...bearer, origin: "http://localhost:6274" })).toBe(200);
      expect(await status(`${url}/mcp/events?run_id=x`, {}, "GET")).toBe(401);
      expect(await status(`${url}/.well-known/agent-card.json`, {}, "GET")).toBe(401);
    },
    TIMEOUT,
  );

  it(
    "A run's events come as a stream of their own until it has ended",
    async () => {
      const client = await connect("auto");
      const task_description = `Write ${join(world.out, "events.md")}`;
      const { run_id } = await call(client, "submit_goal", {
        goal: task_description,
        ...DIRECT,
        params: { task_description },
      });
      const response = await fetch(`${url}/mcp/events?run_id=${String(run_id)}`, {
        headers: { authorization: `Bearer ${token}` },
      });
      const text = await response.text();
      expect(response.headers.get("content-type")).toBe("text/event-stream");
      expect(text).toContain('"kind":"run_submitted"');
      expect(text).toMatch(/event: end\ndata: .*"exit_code":0/);
      await client.close();
    },
    TIMEOUT,
  );

  it(
    "A client that knows tasks gets the run as one, polls it and may cancel it",
    async () => {
      const task_description = `Write ${join(world.out, "task.md")}`;
      const submit = (text: string) =>
        modern(
          "tools/call",
          {
            name: "submit_goal",
            arguments: { goal: text, ...DIRECT, params: { task_description: text } },
          },
          "submit_goal",
        );
      const task = await submit(task_description);
      expect(task).toMatchObject({ resultType: "task", status: "working" });
      const id = String(task["taskId"]);
      const done = await waitFor("the task", async () => {
        const now = await modern("tasks/get", { taskId: id }, id);
        return now["status"] === "working" ? undefined : now;
      });
      expect(done).toMatchObject({
        status: "completed",
        result: { structuredContent: { run_id: id } },
      });
      const held = String((await submit("HOLD"))["taskId"]);
      await modern("tasks/cancel", { taskId: held }, held);
      expect(await modern("tasks/get", { taskId: held }, held)).toMatchObject({
        status: "cancelled",
      });
    },
    TIMEOUT,
  );

  it.skipIf(!existsSync(INSPECTOR))(
    "The official inspector lists the tools and calls one (skipped where packaging/setup --tests has not brought it)",
    async () => {
      const inspect = (...args: readonly string[]) =>
        promisify(execFile)(process.execPath, [
          INSPECTOR,
          `${url}/mcp`,
          "--transport",
          "http",
          "--header",
          `Authorization: Bearer ${token}`,
          ...args,
        ]);
      expect((await inspect("--method", "tools/list")).stdout).toContain("get_agent_status");
      expect(
        (await inspect("--method", "tools/call", "--tool-name", "list_runs")).stdout,
      ).toContain("runs");
    },
    TIMEOUT,
  );

  it(
    "On the Unix socket the kernel says who asks, and metrics are for admins",
    async () => {
      const socketPath = join(world.root, "run/agentd/mcp.sock");
      const { body } = await overSocket(socketPath, "/metrics");
      expect(body).toContain('aaos_info{version="');
      expect(
        (await fetch(`${url}/metrics`, { headers: { authorization: `Bearer ${token}` } })).status,
      ).toBe(200);
      expect(
        readFileSync(join(world.root, "var/lib/aaos/mcp.token"), "utf8").length,
      ).toBeGreaterThan(40);
    },
    TIMEOUT,
  );
});

describe("the A2A server", () => {
  it(
    "The official client sends a goal as a message, follows the task to its end, and lists and cancels tasks",
    async () => {
      const headers = { authorization: `Bearer ${token}` };
      const fetchImpl: typeof fetch = (input, init) =>
        fetch(input, {
          ...init,
          headers: { ...Object.fromEntries(new Headers(init?.headers)), ...headers },
        });
      const factory = new ClientFactory({
        transports: [new JsonRpcTransportFactory({ fetchImpl })],
      });
      const card = AgentCard.fromJSON(
        await (await fetch(`${url}/.well-known/agent-card.json`, { headers })).json(),
      );
      const client = await factory.createFromAgentCard(card);
      const message = (text: string) => ({
        ...{
          messageId: text,
          contextId: "",
          taskId: "",
          role: Role.ROLE_USER,
          metadata: undefined,
        },
        ...{ extensions: [], referenceTaskIds: [] },
        parts: [
          {
            content: { $case: "text" as const, value: text },
            metadata: undefined,
            filename: "",
            mediaType: "text/plain",
          },
        ],
      });
      const asked = { tenant: "", configuration: undefined, metadata: undefined };
      const states: unknown[] = [];
      for await (const event of client.sendMessageStream({
        ...asked,
        message: message(`Write ${join(world.out, "a2a.md")}`),
      }))
        if (event.payload?.$case === "statusUpdate") states.push(event.payload.value.status?.state);
      expect(states.at(-1)).toBe(TaskState.TASK_STATE_COMPLETED);
      const { tasks } = await client.listTasks({
        tenant: "",
        contextId: "",
        status: TaskState.TASK_STATE_UNSPECIFIED,
        pageToken: "",
        statusTimestampAfter: undefined,
      });
      expect(tasks).toHaveLength(1);
    },
    TIMEOUT,
  );
});

/** A request of the current specification, from a client that knows tasks; its result. */
async function modern(
  method: string,
  params: Record<string, unknown>,
  name: string,
): Promise<Record<string, unknown>> {
  const _meta = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": { name: "test", version: "1" },
    "io.modelcontextprotocol/clientCapabilities": {
      extensions: { "io.modelcontextprotocol/tasks": {} },
    },
  };
  const response = await fetch(`${url}/mcp`, {
    method: "POST",
    headers: {
      ...{
        authorization: `Bearer ${token}`,
        "content-type": "application/json",
        accept: "application/json, text/event-stream",
      },
      ...{ "mcp-protocol-version": "2026-07-28", "mcp-method": method, "mcp-name": name },
    },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params: { ...params, _meta } }),
  });
  const answer = (await response.json()) as { result?: Record<string, unknown> };
  return answer.result ?? { answer };
}

/** The status of an initialize request with these headers; fetch would not let `host` be set. */
function status(to: string, headers: Record<string, string>, method = "POST"): Promise<number> {
  const params = {
    protocolVersion: "2025-06-18",
    capabilities: {},
    clientInfo: { name: "t", version: "1" },
  };
  return new Promise((resolve, reject) => {
    const sent = httpRequest(to, { method, headers }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    sent.on("error", reject);
    sent.end(
      method === "GET"
        ? undefined
        : JSON.stringify({ jsonrpc: "2.0", id: 1, method: "initialize", params }),
    );
  });
}

function overSocket(socketPath: string, path: string): Promise<{ body: string }> {
  return new Promise((resolve, reject) => {
    const sent = httpRequest({ socketPath, path, host: "localhost" }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("end", () => resolve({ body: Buffer.concat(chunks).toString("utf8") }));
    });
    sent.on("error", reject);
    sent.end();
  });
}
