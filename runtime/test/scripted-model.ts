import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { JsonObject } from "../protocol/json.js";
import { misbehave, refuse, send, sendTurn, waited } from "./scripted-answer.js";
import { readAnthropic, refuseAnthropic } from "./scripted-anthropic.js";
import { readOpenai, refuseOpenai } from "./scripted-openai.js";
import { answerOf, type ScriptedRequest, type ScriptedRule, takeRule } from "./scripted-script.js";

export interface ScriptedOptions {
  readonly rules: readonly ScriptedRule[];
  readonly port?: number;
  /** 401 unless this key comes as a bearer token or x-api-key. */
  readonly requireKey?: string;
  /** Emulates a thinking model: 400 where a tool-call turn comes back without its reasoning. */
  readonly thinking?: boolean;
  /** The ways of asking for JSON that the server knows; 400 for the others. */
  readonly structured?: readonly ("json_schema" | "tool" | "json_object")[];
  readonly tokenParameter?: "max_tokens" | "max_completion_tokens";
  /** False: 400 for stream_options. */
  readonly streamOptions?: boolean;
  /** Answers in one piece even where a stream was asked for. */
  readonly neverStream?: boolean;
}

/** A model server that says what a script tells it to. Loopback only. */
export interface ScriptedModel {
  /** `http://127.0.0.1:PORT`: the base URL of Messages; Chat Completions is below `/v1`. */
  readonly url: string;
  readonly openai_url: string;
  /** All calls so far, refused ones too. */
  readonly requests: readonly ScriptedRequest[];
  /** Calls being answered now, and the most there ever were. */
  readonly inFlight: () => number;
  readonly maxInFlight: () => number;
  readonly openSockets: () => number;
  readonly close: () => Promise<void>;
}

interface State {
  readonly options: ScriptedOptions;
  readonly requests: ScriptedRequest[];
  readonly uses: Map<ScriptedRule, number>;
  readonly sockets: Set<Socket>;
  inFlight: number;
  maxInFlight: number;
}

export async function startScriptedModel(options: ScriptedOptions): Promise<ScriptedModel> {
  const state: State = {
    options,
    requests: [],
    uses: new Map(),
    sockets: new Set(),
    inFlight: 0,
    maxInFlight: 0,
  };
  const server = createServer((request, response) => {
    serve(state, request, response).catch((thrown: unknown) => {
      response.destroy(thrown instanceof Error ? thrown : undefined);
    });
  });
  server.on("connection", (socket: Socket) => {
    state.sockets.add(socket);
    socket.once("close", () => state.sockets.delete(socket));
  });
  await new Promise<void>((done) => server.listen(options.port ?? 0, "127.0.0.1", done));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    openai_url: `${url}/v1`,
    requests: state.requests,
    inFlight: () => state.inFlight,
    maxInFlight: () => state.maxInFlight,
    openSockets: () => state.sockets.size,
    close: () => close(server, state),
  };
}

async function close(server: Server, state: State): Promise<void> {
  const closed = new Promise<void>((done) => server.close(() => done()));
  for (const socket of state.sockets) socket.destroy();
  await closed;
}

async function serve(
  state: State,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const path = (request.url ?? "").replace(/\?.*/, "");
  const { requireKey } = state.options;
  const given =
    request.headers["x-api-key"] ?? request.headers.authorization?.replace(/^Bearer /, "");
  if (requireKey !== undefined && given !== requireKey) {
    await readBody(request);
    return refuse(
      response,
      401,
      `Incorrect API key provided: ${String(given)}.`,
      "invalid_api_key",
    );
  }
  if (path.endsWith("/models") && request.method === "GET")
    return send(response, 200, { object: "list", data: [{ id: "scripted", object: "model" }] });
  const api = path.endsWith("/chat/completions")
    ? "openai"
    : path.endsWith("/v1/messages")
      ? "anthropic"
      : undefined;
  const body = parseBody(await readBody(request));
  if (api === undefined || request.method !== "POST")
    return refuse(response, 404, `no such path: ${path}`);
  if (body === undefined) return refuse(response, 400, "the request is no JSON object");
  state.inFlight++;
  state.maxInFlight = Math.max(state.maxInFlight, state.inFlight);
  try {
    await answer(state, api, body, request, response);
  } finally {
    state.inFlight--;
  }
}

async function answer(
  state: State,
  api: ScriptedRequest["api"],
  body: JsonObject,
  incoming: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const read = api === "openai" ? readOpenai(body) : readAnthropic(body);
  const request: ScriptedRequest = {
    ...read,
    api,
    body,
    headers: incoming.headers,
    at: Date.now(),
  };
  state.requests.push(request);
  const refusal = refusalOf(request, state.options);
  if (refusal !== undefined) return refuse(response, 400, refusal, "invalid_request_error");
  const rule = takeRule(state.options.rules, state.uses, request);
  if (rule === undefined)
    return refuse(response, 400, `the script has no rule for: ${request.last.slice(0, 200)}`);
  if (rule.delayMs !== undefined && !(await waited(rule.delayMs, response))) return;
  const turn = answerOf(rule.reply, request);
  const id = `s${state.requests.length}`;
  if ("fault" in turn) await misbehave(turn, request, response, id);
  else await sendTurn(turn, request, response, id, state.options.neverStream ?? false);
}

/** What the real servers refuse, so that a test cannot pass on what they would not take. */
function refusalOf(request: ScriptedRequest, options: ScriptedOptions): string | undefined {
  const { body, structured } = request;
  const known = options.structured ?? ["json_schema", "tool", "json_object"];
  if (structured !== undefined && !known.includes(structured.by)) {
    if (structured.by === "tool") return "tool_choice is not supported by this model";
    return `This response_format type is unavailable now: ${structured.by}`;
  }
  if (request.api === "anthropic") return refuseAnthropic(body, options.thinking ?? false);
  return refuseOpenai(body, {
    thinking: options.thinking ?? false,
    tokenParameter: options.tokenParameter ?? "max_tokens",
    streamOptions: options.streamOptions ?? true,
  });
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("utf8");
}

function parseBody(text: string): JsonObject | undefined {
  try {
    const value = JSON.parse(text) as unknown;
    const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
    return isObject ? (value as JsonObject) : undefined;
  } catch {
    return undefined;
  }
}
