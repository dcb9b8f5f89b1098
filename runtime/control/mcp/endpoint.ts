import { toNodeHandler } from "@modelcontextprotocol/node";
import {
  createMcpHandler,
  ProtocolError,
  ProtocolErrorCode,
  Server,
} from "@modelcontextprotocol/server";
import { z } from "zod";
import { AgentdError } from "../../protocol/agentd-error.js";
import type { Caller } from "../../protocol/caller.js";
import { JsonObject } from "../../protocol/json.js";
import type { Api } from "../api.js";
import type { CallContext } from "../handler.js";
import type { HttpCall } from "../http/listener.js";
import { TASKS_EXTENSION, TaskParams, taskOf, understandsTasks } from "./tasks.js";
import { MCP_TOOLS, type McpTool } from "./tools.js";

export interface McpEndpointOptions {
  readonly api: Api;
  readonly version: string;
}

const MAX_BODY_BYTES = 1_048_576;
const LISTED = MCP_TOOLS.map(({ name, description, input, readOnly }) => {
  const { $schema: _dialect, ...schema } = z.toJSONSchema(input, { io: "input" });
  const inputSchema = { ...JsonObject.parse(schema), type: "object" as const };
  return { name, description, inputSchema, annotations: { readOnlyHint: readOnly } };
});

/** The MCP server of this machine, of the current specification and, without sessions, of the era before it. */
export function openMcpEndpoint({ api, version }: McpEndpointOptions): {
  readonly handle: (call: HttpCall) => Promise<void>;
  readonly close: () => Promise<void>;
} {
  const handler = createMcpHandler(
    ({ authInfo }) => serverFor(authInfo?.extra?.["caller"] as Caller, api, version),
    { maxRequestBodySize: MAX_BODY_BYTES },
  );
  const node = toNodeHandler(handler);
  return {
    handle: ({ request, response, caller }) => {
      const auth = { token: "", clientId: `uid:${caller.uid}`, scopes: [], extra: { caller } };
      // Of a request that a server received both are always there.
      const { method = "GET", url = "/" } = request;
      return node(Object.assign(request, { auth, method, url }), response);
    },
    close: () => handler.close(),
  };
}

/** One request's server: what its caller may ask, and nothing that outlives the answer. */
function serverFor(peer: Caller, api: Api, version: string): Server {
  const server = new Server(
    { name: "aaos", version },
    { capabilities: { tools: {}, extensions: { [TASKS_EXTENSION]: {} } } },
  );
  server.setRequestHandler("tools/list", () => ({ tools: LISTED.map((tool) => ({ ...tool })) }));
  server.setRequestHandler("tools/call", async ({ params }, { mcpReq }) => {
    const tool = MCP_TOOLS.find(({ name }) => name === params.name);
    if (tool === undefined)
      throw new ProtocolError(ProtocolErrorCode.InvalidParams, `there is no tool ${params.name}`);
    const context = { peer, signal: mcpReq.signal };
    const result = await callTool(tool, params.arguments ?? {}, api, context);
    const runId = result.structuredContent["run_id"];
    const asTask =
      tool.name === "submit_goal" && typeof runId === "string" && understandsTasks(mcpReq.envelope);
    if (!asTask) return result;
    const run = await api.call("run.get", { run_id: runId }, context);
    return { resultType: "task", content: result.content, ...taskOf(run) };
  });
  const task =
    (handle: (taskId: string, context: CallContext) => Promise<JsonObject>) =>
    (
      params: { readonly taskId: string },
      extra: { readonly mcpReq: { readonly signal: AbortSignal } },
    ) =>
      asProtocolError(() => handle(params.taskId, { peer, signal: extra.mcpReq.signal }));
  const schemas = { params: TaskParams };
  server.setRequestHandler(
    "tasks/get",
    schemas,
    task(async (run_id, context) => {
      const run = await api.call("run.get", { run_id }, context);
      const shown = { resultType: "complete", ...taskOf(run) };
      if (run.state === "failed")
        return {
          ...shown,
          error: { code: -32_000, message: run.error?.message ?? "the run failed" },
        };
      if (run.state !== "succeeded") return shown;
      const { final_output, final_text } = run;
      return {
        ...shown,
        result: { ...textResult({ run_id: run.run_id, final_output, final_text }) },
      };
    }),
  );
  server.setRequestHandler(
    "tasks/cancel",
    schemas,
    task(async (run_id, context) => {
      await api.call("run.cancel", { run_id }, context);
      return { resultType: "complete" };
    }),
  );
  server.setRequestHandler("tasks/update", schemas, () => {
    throw new ProtocolError(
      ProtocolErrorCode.InvalidParams,
      "no task here asks a client for anything",
    );
  });
  return server;
}

type Answer = {
  readonly content: { readonly type: "text"; readonly text: string }[];
  readonly structuredContent: JsonObject;
  readonly isError?: true;
};

/** A call's result; what is wrong with it is told to the model that made it, as MCP wants. */
async function callTool(
  tool: McpTool,
  input: unknown,
  api: Api,
  context: CallContext,
): Promise<Answer> {
  try {
    return textResult(await tool.run(input, api, context));
  } catch (thrown) {
    if (!(thrown instanceof AgentdError)) throw thrown;
    const { code, message, hint } = thrown;
    return { ...textResult({ error: { kind: code, message, hint } }), isError: true };
  }
}

function textResult(value: JsonObject): Answer {
  return { content: [{ type: "text", text: JSON.stringify(value) }], structuredContent: value };
}

async function asProtocolError<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    if (!(thrown instanceof AgentdError)) throw thrown;
    throw new ProtocolError(ProtocolErrorCode.InvalidParams, thrown.message);
  }
}
