import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import type { Message } from "../protocol/message.js";
import type { ModelEvent, ModelRequest, ModelStream } from "../protocol/model.js";
import { freePort } from "../test/free-port.js";
import {
  type ScriptedModel,
  type ScriptedOptions,
  startScriptedModel,
} from "../test/scripted-model.js";
import type { ScriptedRule } from "../test/scripted-script.js";
import { anthropicStream } from "./anthropic.js";
import type { Connection } from "./attempt.js";
import { providerFetch } from "./network.js";
import { openaiStream } from "./openai.js";

const KEY = "sk-test-0123456789abcdef";
const ECHO = {
  name: "echo",
  description: "Says it back.",
  input_schema: { type: "object", properties: { message: { type: "string" } } },
} as const;

type Reply = Extract<ModelEvent, { type: "reply" }>;
type Failed = Extract<ModelEvent, { type: "failed" }>;

const servers: ScriptedModel[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

async function serve(
  rules: readonly ScriptedRule[],
  options: Omit<ScriptedOptions, "rules"> = {},
): Promise<ScriptedModel> {
  const server = await startScriptedModel({ rules, ...options });
  servers.push(server);
  return server;
}

interface Tuning {
  readonly timeout_ms?: number;
  readonly max_retries?: number;
  readonly key?: string | null;
  readonly waits?: number[];
}

/** A stream to a server; waits are noted instead of waited. */
function streamTo(api: "openai" | "anthropic", url: string, tuning: Tuning = {}): ModelStream {
  const key = tuning.key === undefined ? KEY : tuning.key;
  const connection: Connection = {
    provider: "scripted",
    base_url: api === "openai" ? `${url}/v1` : url,
    ...(key === null ? {} : { key }),
    timeout_ms: tuning.timeout_ms ?? 5_000,
    fetch: providerFetch({}),
    now: () => Date.now(),
  };
  const retry = {
    max_retries: tuning.max_retries ?? 0,
    sleep: async (ms: number) => {
      tuning.waits?.push(ms);
      await Promise.resolve();
    },
    random: () => 0.5,
  };
  const shared = { connection, retry, price: { input: 2, output: 10 }, thinkingOff: () => false };
  return api === "openai" ? openaiStream(shared) : anthropicStream(shared);
}

function ask(text: string, more: Partial<ModelRequest> = {}): ModelRequest {
  return {
    model: "m-1",
    messages: [
      { role: "system", text: "You are terse." },
      { role: "user", text },
    ],
    tools: [],
    max_output_tokens: 100,
    ...more,
  };
}

async function eventsOf(
  stream: ModelStream,
  request: ModelRequest,
  signal: AbortSignal = new AbortController().signal,
): Promise<ModelEvent[]> {
  const events: ModelEvent[] = [];
  for await (const event of stream(request, signal)) events.push(event);
  return events;
}

async function replyOf(stream: ModelStream, request: ModelRequest): Promise<Reply> {
  const end = (await eventsOf(stream, request)).at(-1);
  if (end?.type !== "reply") throw new Error(`no reply: ${JSON.stringify(end)}`);
  return end;
}

async function failureOf(stream: ModelStream, request: ModelRequest): Promise<Failed> {
  const end = (await eventsOf(stream, request)).at(-1);
  if (end?.type !== "failed") throw new Error(`no failure: ${JSON.stringify(end)}`);
  return end;
}

function toolResult(call_id: string, text: string, tool = "echo"): Message {
  return { role: "tool", call_id, tool, text, is_error: false };
}

describe.each(["openai", "anthropic"] as const)("%s", (api) => {
  it("gives deltas as they come and one reply with usage and price, last", async () => {
    const server = await serve([
      {
        reply: {
          text: "A longer text that comes in pieces.",
          usage: { input: 1_000, output: 200 },
        },
      },
    ]);
    const events = await eventsOf(streamTo(api, server.url), ask("go"));
    const deltas = events.filter((event) => event.type === "text").map((event) => event.delta);
    expect(deltas.length).toBeGreaterThan(1);
    expect(deltas.join("")).toBe("A longer text that comes in pieces.");
    expect(events.at(-1)).toEqual({
      type: "reply",
      message: { role: "assistant", text: "A longer text that comes in pieces.", tool_calls: [] },
      end: "end_turn",
      usage: { input_tokens: 1_000, output_tokens: 200, usd: (1_000 * 2 + 200 * 10) / 1e6 },
    });
    expect(server.requests[0]?.system).toBe("You are terse.");
    expect(server.requests[0]?.body["max_tokens"]).toBe(100);
  });

  it("reads an answer that comes whole although a stream was asked for", async () => {
    const server = await serve(
      [{ reply: { text: "whole", tool_calls: [{ name: "echo", input: { message: "a" } }] } }],
      { neverStream: true },
    );
    const reply = await replyOf(streamTo(api, server.url), ask("go", { tools: [ECHO] }));
    expect(reply.message.text).toBe("whole");
    expect(reply.message.tool_calls[0]?.input).toEqual({ message: "a" });
    expect(reply.usage.input_tokens).toBe(10);
  });

  it("carries a conversation with several tool calls, their results and a user's word", async () => {
    const server = await serve([
      {
        times: 1,
        reply: {
          text: "Two calls.",
          tool_calls: [
            { name: "echo", input: { message: "a" } },
            { name: "echo", input: { message: "b" } },
          ],
        },
      },
      { match: { tool_result: "said b", last: "hurry" }, reply: "done" },
    ]);
    const stream = streamTo(api, server.url);
    const first = ask("go", { tools: [ECHO] });
    const reply = await replyOf(stream, first);
    expect(reply.end).toBe("tool_use");
    expect(reply.message.tool_calls.map((call) => call.input)).toEqual([
      { message: "a" },
      { message: "b" },
    ]);
    const [a, b] = reply.message.tool_calls;
    const messages: Message[] = [
      ...first.messages,
      reply.message,
      toolResult(a?.id ?? "", "said a"),
      toolResult(b?.id ?? "", "said b"),
      { role: "user", text: "hurry" },
    ];
    const second = await replyOf(stream, { ...first, messages });
    expect(second.message.text).toBe("done");
    expect(second.end).toBe("end_turn");
  });

  it("A24-27 gives a thinking model's reasoning back on tool-call turns, also where it was empty", async () => {
    for (const reasoning of ["I should call echo.", ""]) {
      const server = await serve(
        [
          { times: 1, reply: { reasoning, tool_calls: [{ name: "echo", input: {} }] } },
          { match: { tool_result: "x" }, reply: { reasoning: "", text: "done" } },
        ],
        { thinking: true },
      );
      const stream = streamTo(api, server.url);
      const first = ask("go", { tools: [ECHO] });
      const reply = await replyOf(stream, first);
      expect(reply.message.reasoning).toBe(reasoning);
      const id = reply.message.tool_calls[0]?.id ?? "";
      const messages = [...first.messages, reply.message, toolResult(id, "x")];
      expect((await replyOf(stream, { ...first, messages })).message.text).toBe("done");
    }
  });

  it("the thinking server refuses a tool-call turn that lost its reasoning", async () => {
    const server = await serve([{ reply: "done" }], { thinking: true });
    const lost: Message = {
      role: "assistant",
      text: "",
      tool_calls: [{ id: "c1", name: "echo", input: {} }],
    };
    const request = ask("go", { tools: [ECHO] });
    const messages = [...request.messages, lost, toolResult("c1", "x")];
    const end = (await eventsOf(streamTo(api, server.url), { ...request, messages })).at(-1);
    // Chat Completions learns from the refusal and gives an empty one; signed thinking cannot be made up.
    expect(end?.type).toBe(api === "openai" ? "reply" : "failed");
    expect(server.requests.length).toBe(api === "openai" ? 2 : 1);
  });

  it("A24-35 names with dots go out as the APIs allow and come back as they were", async () => {
    const long = `mcp.server.${"x".repeat(80)}`;
    const server = await serve([
      { times: 1, reply: (r) => ({ tool_calls: r.tools.map((name) => ({ name, input: {} })) }) },
      { match: { tool_result: "x" }, reply: "done" },
    ]);
    const stream = streamTo(api, server.url);
    const tools = ["mcp.github.x", "mcp__github__x", long].map((name) => ({ ...ECHO, name }));
    const first = ask("go", { tools });
    const reply = await replyOf(stream, first);
    expect(reply.message.tool_calls.map((call) => call.name)).toEqual(tools.map((t) => t.name));
    expect(server.requests[0]?.tools[1]).toBe("mcp__github__x");
    for (const name of server.requests[0]?.tools ?? [])
      expect(name).toMatch(/^[a-zA-Z0-9_-]{1,64}$/);
    const results = reply.message.tool_calls.map((call) => toolResult(call.id, "x", call.name));
    const messages = [...first.messages, reply.message, ...results];
    expect((await replyOf(stream, { ...first, messages })).message.text).toBe("done");
  });

  it("a tool that the model made up comes back under its own name", async () => {
    const server = await serve([{ reply: { tool_calls: [{ name: "rm_all", input: {} }] } }]);
    const reply = await replyOf(streamTo(api, server.url), ask("go", { tools: [ECHO] }));
    expect(reply.message.tool_calls[0]?.name).toBe("rm_all");
  });

  it("arguments that are no JSON make a malformed call, and the conversation goes on", async () => {
    const server = await serve([
      { times: 1, reply: { tool_calls: [{ name: "echo", raw: '{"message": "a' }] } },
      { match: { tool_result: "invalid" }, reply: "sorry" },
    ]);
    const stream = streamTo(api, server.url);
    const first = ask("go", { tools: [ECHO] });
    const reply = await replyOf(stream, first);
    const call = reply.message.tool_calls[0];
    expect(call).toMatchObject({ input: null, malformed: '{"message": "a' });
    const messages = [...first.messages, reply.message, toolResult(call?.id ?? "", "invalid")];
    expect((await replyOf(stream, { ...first, messages })).message.text).toBe("sorry");
  });

  it("a call without arguments has an empty object as input", async () => {
    const server = await serve([{ reply: { tool_calls: [{ name: "echo", raw: "" }] } }]);
    const reply = await replyOf(streamTo(api, server.url), ask("go", { tools: [ECHO] }));
    expect(reply.message.tool_calls[0]?.input).toEqual({});
  });

  it("a call id that was used before is replaced, so that results find their call", async () => {
    const server = await serve([
      {
        reply: {
          tool_calls: [
            { id: "call_1", name: "echo" },
            { id: "call_1x", name: "echo" },
          ],
        },
      },
    ]);
    const request = ask("go", { tools: [ECHO] });
    const earlier: Message = {
      role: "assistant",
      text: "",
      tool_calls: [{ id: "call_1", name: "echo", input: {} }],
    };
    const messages = [...request.messages, earlier, toolResult("call_1", "x")];
    const reply = await replyOf(streamTo(api, server.url), { ...request, messages });
    const ids = reply.message.tool_calls.map((call) => call.id);
    expect(new Set(["call_1", ...ids]).size).toBe(3);
  });

  it("A22-14 an end for tools without a call is an ordinary end, and a blank reply is called blank", async () => {
    const server = await serve([
      { match: { last: "one" }, reply: { text: "hm", finish: "tool_calls" } },
      { match: { last: "two" }, reply: { fault: "blank" } },
      { match: { last: "three" }, reply: { reasoning: "only thoughts" } },
    ]);
    const stream = streamTo(api, server.url);
    expect((await replyOf(stream, ask("one"))).end).toBe("end_turn");
    expect((await replyOf(stream, ask("two"))).end).toBe("blank");
    expect((await replyOf(stream, ask("three"))).end).toBe("blank");
  });

  it("a reply that was cut off says so, and so does one that was refused", async () => {
    const server = await serve([
      { match: { last: "one" }, reply: { text: '{"steps": [', finish: "length" } },
      { match: { last: "two" }, reply: { text: "no", finish: "content_filter" } },
    ]);
    const stream = streamTo(api, server.url);
    expect((await replyOf(stream, ask("one"))).end).toBe("max_tokens");
    expect((await replyOf(stream, ask("two"))).end).toBe("refused");
  });

  it("tokens are estimated where the API reports none, so that budgets bind", async () => {
    const server = await serve([{ reply: { text: "four bytes a token", usage: null } }]);
    const { usage } = await replyOf(streamTo(api, server.url), ask("go"));
    expect(usage.input_tokens).toBeGreaterThan(5);
    expect(usage.output_tokens).toBeGreaterThan(3);
    expect(usage.usd).toBeGreaterThan(0);
  });

  it("A24-28 a busy or broken server is tried again after a jittered pause, and each try is told", async () => {
    const waits: number[] = [];
    const server = await serve([
      { times: 1, reply: { fault: "status", status: 429 } },
      { times: 1, reply: { fault: "status", status: 500 } },
      { times: 1, reply: { fault: "status", status: 529 } },
      { reply: "at last" },
    ]);
    const events = await eventsOf(streamTo(api, server.url, { max_retries: 3, waits }), ask("go"));
    const retries = events.filter((event) => event.type === "retry");
    expect(
      retries.map((event) => [event.attempt, event.failure.kind, event.failure.status]),
    ).toEqual([
      [1, "rate_limited", 429],
      [2, "overloaded", 500],
      [3, "overloaded", 529],
    ]);
    expect(waits).toEqual([500, 1_000, 2_000]);
    expect(events.at(-1)).toMatchObject({ type: "reply", message: { text: "at last" } });
  });

  it("Retry-After is honoured, in seconds and as a date, up to two minutes", async () => {
    const waits: number[] = [];
    const inAMinute = new Date(Date.now() + 60_000).toUTCString();
    const server = await serve([
      { times: 1, reply: { fault: "status", status: 429, retry_after: 7 } },
      { times: 1, reply: { fault: "status", status: 503, retry_after: inAMinute } },
      { times: 1, reply: { fault: "status", status: 429, retry_after: 86_400 } },
      { reply: "ok" },
    ]);
    await replyOf(streamTo(api, server.url, { max_retries: 5, waits }), ask("go"));
    expect(waits[0]).toBe(7_000);
    expect(waits[1]).toBeGreaterThan(55_000);
    expect(waits[1]).toBeLessThanOrEqual(60_000);
    expect(waits[2]).toBe(120_000);
  });

  it("gives up after max_retries and says how often it tried", async () => {
    const server = await serve([{ reply: { fault: "status", status: 503 } }]);
    const { failure } = await failureOf(streamTo(api, server.url, { max_retries: 2 }), ask("go"));
    expect(failure).toMatchObject({ kind: "overloaded", status: 503 });
    expect(failure.message).toContain("3 tries");
    expect(server.requests.length).toBe(3);
  });

  it.each([
    [400, "bad_request"],
    [403, "auth"],
    [402, "auth"],
    [404, "unknown_model"],
    [413, "context_length"],
  ] as const)("status %i is %s and is not tried again", async (status, kind) => {
    const server = await serve([{ reply: { fault: "status", status, message: "no" } }]);
    const { failure } = await failureOf(streamTo(api, server.url, { max_retries: 3 }), ask("go"));
    expect(failure).toMatchObject({ kind, status });
    expect(failure.message).toContain(new URL(server.url).host);
    expect(failure.message).toContain("scripted");
    expect(server.requests.length).toBe(1);
  });

  it("a 400 about the context's length is told apart, and an empty account is no busy one", async () => {
    const server = await serve([
      {
        match: { last: "long" },
        reply: {
          fault: "status",
          status: 400,
          message: "This model's maximum context length is 128000 tokens.",
        },
      },
      {
        match: { last: "poor" },
        reply: {
          fault: "status",
          status: 429,
          message: "You exceeded your quota",
          code: "insufficient_quota",
        },
      },
    ]);
    const stream = streamTo(api, server.url, { max_retries: 2 });
    expect((await failureOf(stream, ask("long"))).failure.kind).toBe("context_length");
    expect((await failureOf(stream, ask("poor"))).failure.kind).toBe("auth");
    expect(server.requests.length).toBe(2);
  });

  it("A22-3 a wrong key is a clear failure that does not repeat the key; the right one is served", async () => {
    const server = await serve([{ reply: "welcome" }], { requireKey: KEY });
    const wrong = "sk-wrong-9876543210";
    const { failure } = await failureOf(
      streamTo(api, server.url, { key: wrong, max_retries: 3 }),
      ask("go"),
    );
    expect(failure).toMatchObject({ kind: "auth", status: 401 });
    expect(failure.message).toContain("agentd configure");
    expect(failure.message).not.toContain(wrong);
    expect((await replyOf(streamTo(api, server.url), ask("go"))).message.text).toBe("welcome");
  });

  it("a key that a server repeats in its error is taken out of the message", async () => {
    const server = await serve([
      { reply: { fault: "status", status: 400, message: `bad header Bearer ${KEY}` } },
    ]);
    const { failure } = await failureOf(streamTo(api, server.url), ask("go"));
    expect(failure.message).not.toContain(KEY);
    expect(failure.message).toContain("[key]");
  });

  it("without a credential no key is sent", async () => {
    const server = await serve([{ reply: "hello" }]);
    await replyOf(streamTo(api, server.url, { key: null }), ask("go"));
    expect(server.requests[0]?.headers.authorization).toBeUndefined();
    expect(server.requests[0]?.headers["x-api-key"]).toBeUndefined();
  });

  it.each(["hang", "stall"] as const)(
    "a server that %ss is given up after timeout_s without a byte",
    async (fault) => {
      const server = await serve([{ reply: { fault } }]);
      const started = Date.now();
      const { failure } = await failureOf(
        streamTo(api, server.url, { timeout_ms: 300 }),
        ask("go"),
      );
      expect(failure.kind).toBe("timeout");
      expect(failure.message).toContain("0.3 s");
      expect(Date.now() - started).toBeLessThan(3_000);
      await untilClosed(server);
    },
  );

  it("a slow stream that keeps coming outlives timeout_s", async () => {
    const text = "a text of some twelve-letter pieces that come one after the other";
    const server = await serve([{ reply: { text, chunkDelayMs: 120 } }]);
    const reply = await replyOf(streamTo(api, server.url, { timeout_ms: 400 }), ask("go"));
    expect(reply.message.text).toBe(text);
  });

  it("a stream that broke after some text is tried again, and only the second counts", async () => {
    const server = await serve([
      { times: 1, reply: { fault: "cut", text: "half" } },
      { reply: "whole" },
    ]);
    const events = await eventsOf(streamTo(api, server.url, { max_retries: 1 }), ask("go"));
    expect(events.map((event) => event.type)).toEqual(["text", "retry", "text", "reply"]);
    expect(events.at(-1)).toMatchObject({ message: { text: "whole" } });
  });

  it.each([
    ["html", "garbage"],
    ["sse", "garbage"],
    ["json", "garbage"],
    ["error_event", "overloaded"],
  ] as const)("an answer of %s is %s, told in a sentence", async (as, kind) => {
    const server = await serve([{ reply: { fault: "garbage", as } }]);
    const { failure } = await failureOf(streamTo(api, server.url), ask("go"));
    expect(failure.kind).toBe(kind);
    expect(failure.message.length).toBeLessThan(500);
  });

  it("a dead provider is a network failure that names the host", async () => {
    const port = await freePort();
    const stream = streamTo(api, `http://127.0.0.1:${port}`, { max_retries: 1, waits: [] });
    const { failure } = await failureOf(stream, ask("go"));
    expect(failure.kind).toBe("network");
    expect(failure.message).toContain(`127.0.0.1:${port}`);
    expect(failure.message).toContain("ECONNREFUSED");
  });

  it("cancelling ends a hanging call at once and leaves no open socket", async () => {
    const server = await serve([{ reply: { fault: "stall", text: "half" } }]);
    const controller = new AbortController();
    const stream = streamTo(api, server.url, { max_retries: 5 });
    const events: ModelEvent[] = [];
    let cancelledAt = 0;
    for await (const event of stream(ask("go"), controller.signal)) {
      events.push(event);
      if (event.type !== "text") continue;
      cancelledAt = Date.now();
      controller.abort();
    }
    expect(events.at(-1)).toMatchObject({ type: "failed", failure: { kind: "cancelled" } });
    expect(Date.now() - cancelledAt).toBeLessThan(1_000);
    expect(server.requests.length).toBe(1);
    await untilClosed(server);
  });

  it("a signal that is aborted already makes no call", async () => {
    const server = await serve([{ reply: "hello" }]);
    const events = await eventsOf(streamTo(api, server.url), ask("go"), AbortSignal.abort());
    expect(events).toMatchObject([{ type: "failed", failure: { kind: "cancelled" } }]);
    expect(server.requests.length).toBe(0);
  });

  it("a reader that walks away closes the connection", async () => {
    const server = await serve([
      { reply: { text: "piece after piece".repeat(20), chunkDelayMs: 50 } },
    ]);
    for await (const event of streamTo(api, server.url)(ask("go"), new AbortController().signal))
      if (event.type === "text") break;
    await untilClosed(server);
    expect(server.inFlight()).toBe(0);
  });

  it("JSON asked for by a forced tool comes back as text", async () => {
    const server = await serve([{ reply: '{"answer": 42}' }]);
    const structured = {
      name: "answer",
      schema: { type: "object", properties: { answer: { type: "number" } } },
      by: "tool",
    } as const;
    const reply = await replyOf(streamTo(api, server.url), ask("go", { structured }));
    expect(reply.message).toEqual({ role: "assistant", text: '{"answer": 42}', tool_calls: [] });
    expect(reply.end).toBe("end_turn");
    expect(server.requests[0]?.structured?.by).toBe("tool");
  });

  it.each(["json_schema", "tool", "json_object"] as const)(
    "a server without %s is told apart as unsupported",
    async (by) => {
      const server = await serve([{ reply: "{}" }], { structured: [] });
      const structured = {
        name: "answer",
        schema: { type: "object", properties: {}, required: [], additionalProperties: false },
        by,
      };
      const { failure } = await failureOf(
        streamTo(api, server.url, { max_retries: 2 }),
        ask("in JSON", { structured }),
      );
      expect(failure.kind).toBe("unsupported");
    },
  );
});

describe("Chat Completions servers that differ", () => {
  it("max_completion_tokens is used after a server asked for it, from then on", async () => {
    const server = await serve([{ reply: "ok" }], { tokenParameter: "max_completion_tokens" });
    const stream = streamTo("openai", server.url);
    await replyOf(stream, ask("one"));
    await replyOf(stream, ask("two"));
    const sent = server.requests.map((r) => [
      r.body["max_tokens"],
      r.body["max_completion_tokens"],
    ]);
    expect(sent).toEqual([
      [100, undefined],
      [undefined, 100],
      [undefined, 100],
    ]);
  });

  it("stream_options is left out where a server does not know it", async () => {
    const server = await serve([{ reply: "ok" }], { streamOptions: false });
    const stream = streamTo("openai", server.url);
    expect((await replyOf(stream, ask("one"))).message.text).toBe("ok");
    expect(server.requests[1]?.body["stream_options"]).toBeUndefined();
  });

  it("orphan tool results are refused by the server, so a test would see them", async () => {
    const server = await serve([{ reply: "ok" }]);
    const messages = [...ask("go").messages, toolResult("nobody", "x")];
    const { failure } = await failureOf(streamTo("openai", server.url), ask("go", { messages }));
    expect(failure.kind).toBe("bad_request");
  });
});

async function untilClosed(server: ScriptedModel): Promise<void> {
  for (let i = 0; i < 100 && server.openSockets() > 0; i++) await sleep(20);
  expect(server.openSockets()).toBe(0);
}
