import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Message, ToolCallRequest } from "../protocol/message.js";
import type { ModelEvent, ModelRequest, ModelStream } from "../protocol/model.js";
import type { AgentEmit, AgentInput } from "./agent-input.js";
import { type AgentContext, type ContextSummary, viewOf } from "./context.js";
import { chooseBoundary } from "./context-boundary.js";
import { calibrated, conversationBytes } from "./context-size.js";
import { runAgent } from "./loop.js";

const call = (id: string, name = "read"): ToolCallRequest => ({ id, name, input: { path: id } });
const assistant = (text: string, calls: ToolCallRequest[] = []): Message => ({
  role: "assistant",
  text,
  tool_calls: calls,
});
const result = (id: string, text: string): Message => ({
  role: "tool",
  call_id: id,
  tool: "read",
  text,
  is_error: false,
});

/** Conversations as they come about: somebody asks, the agent calls tools, gets every result, and answers. */
const conversation = fc
  .array(
    fc.record({
      asked: fc.string({ maxLength: 300 }),
      turns: fc.array(
        fc.record({
          calls: fc.integer({ min: 1, max: 3 }),
          size: fc.integer({ min: 0, max: 900 }),
        }),
        { maxLength: 5 },
      ),
    }),
    { minLength: 1, maxLength: 6 },
  )
  .map((exchanges): readonly Message[] => [
    { role: "system", text: "Orders." },
    ...exchanges.flatMap(({ asked, turns }, e): Message[] => [
      { role: "user", text: `asked ${asked}` },
      ...turns.flatMap(({ calls, size }, t): Message[] => {
        const ids = Array.from({ length: calls }, (_, i) => `${e}.${t}.${i}`);
        return [
          assistant(
            "",
            ids.map((id) => call(id)),
          ),
          ...ids.map((id) => result(id, "x".repeat(size))),
        ];
      }),
      assistant(`answer ${e}`),
    ]),
  ]);

/** Every result's call and every call's result are there, and no API refuses how it begins. */
function isWhole(view: readonly Message[]): boolean {
  const asked = view.flatMap((m) =>
    m.role === "assistant" ? m.tool_calls.map(({ id }) => id) : [],
  );
  const answered = view.flatMap((m) => (m.role === "tool" ? [m.call_id] : []));
  const [first, second] = view;
  return (
    first?.role === "system" &&
    second?.role === "user" &&
    JSON.stringify(asked) === JSON.stringify(answered)
  );
}

describe("A14 what is summarised", () => {
  it("A24-33 never parts a call from its results, begins where somebody asked, and ends where the conversation ends", () => {
    fc.assert(
      fc.property(
        conversation,
        fc.integer({ min: 50, max: 20_000 }),
        fc.integer({ min: 50, max: 20_000 }),
        fc.option(fc.integer({ min: 1, max: 12 }), { nil: undefined }),
        (messages, windowBytes, summarizerBytes, maxLeft) => {
          let summary: ContextSummary | undefined;
          for (let n = 0; n < 20; n++) {
            const from = summary?.upto ?? 1;
            const upto = chooseBoundary({ messages, from, windowBytes, summarizerBytes, maxLeft });
            if (upto === undefined) break;
            expect(upto).toBeGreaterThan(from);
            expect(upto).toBeLessThan(messages.length);
            summary = { text: "what was", upto };
            const view = viewOf(messages, summary);
            expect(isWhole(view)).toBe(true);
            expect(view.at(-1)).toBe(messages.at(-1));
          }
        },
      ),
    );
  });

  it("is what fills 40 % of the window, or half of what there is where nothing fits", () => {
    const asked = (n: number): Message => ({ role: "user", text: `${n}`.padEnd(84, ".") });
    const messages = [{ role: "system", text: "" } as const, ...[1, 2, 3, 4, 5, 6].map(asked)];
    const choose = (windowBytes: number, summarizerBytes = 1e9) =>
      chooseBoundary({ messages, from: 1, windowBytes, summarizerBytes });
    expect(choose(750)).toBe(4);
    expect(choose(100)).toBe(4);
    expect(choose(1e6)).toBe(6);
    expect(choose(1e6, 300)).toBe(3);
    expect(chooseBoundary({ messages, from: 6, windowBytes: 1, summarizerBytes: 1e9 })).toBe(
      undefined,
    );
  });

  it("an exchange that is cut in its middle keeps the message it began with", () => {
    const messages: readonly Message[] = [
      { role: "system", text: "Orders." },
      { role: "user", text: "first" },
      assistant("done"),
      { role: "user", text: "second" },
      assistant("", [call("a")]),
      result("a", "1"),
      assistant("", [call("b")]),
      result("b", "2"),
    ];
    expect(viewOf(messages, { text: "S", upto: 6 })).toEqual([
      {
        role: "system",
        text: expect.stringMatching(
          /^Orders\.[\s\S]*\[Previous conversation summary\][\s\S]*S$/,
        ) as string,
      },
      { role: "user", text: "second" },
      ...messages.slice(6),
    ]);
  });
});

it("A14 tokens are counted by what the provider reports", () => {
  expect(calibrated(4, 1_000, 500)).toBe(2);
  expect(calibrated(4, 1_000, 0)).toBe(4);
  expect(calibrated(4, 1_000_000, 1)).toBe(8);
});

interface Script {
  readonly messages: readonly Message[];
  readonly context: Partial<AgentContext>;
  readonly model: (request: ModelRequest, n: number) => ModelEvent;
  readonly summarizer: (request: ModelRequest) => ModelEvent;
}

function reply(text: string, input_tokens = 0, calls: ToolCallRequest[] = []): ModelEvent {
  return {
    type: "reply",
    message: { role: "assistant", text, tool_calls: calls },
    end: calls.length > 0 ? "tool_use" : "end_turn",
    usage: { input_tokens, output_tokens: 1, usd: 0 },
  };
}

async function run(script: Script) {
  const events: AgentEmit[] = [];
  const requests: ModelRequest[] = [];
  const summaries: ModelRequest[] = [];
  const stream = (
    seen: ModelRequest[],
    answer: (request: ModelRequest, n: number) => ModelEvent,
  ): ModelStream =>
    async function* (request) {
      await Promise.resolve();
      seen.push(request);
      yield answer(request, seen.length);
    };
  const input: AgentInput = {
    messages: script.messages,
    tools: [{ name: "read", description: "", input_schema: {} }],
    model: "m",
    provider: "p",
    limits: {
      max_iterations: 20,
      max_output_tokens: 100,
      max_total_tokens: 1_000_000,
      commit_nudges: 0,
      repeat_threshold: 30,
    },
    context: {
      window_tokens: 1_000,
      threshold: 0.7,
      summarizer: {
        model: "s",
        window_tokens: 10_000,
        max_output_tokens: 200,
        stream: stream(summaries, script.summarizer),
      },
      ...script.context,
    },
    stream: stream(requests, script.model),
    callTool: () => Promise.resolve({ text: "y".repeat(400), is_error: false }),
    emit: (event) => {
      events.push(event);
      return Promise.resolve();
    },
    outputsExist: () => Promise.resolve(true),
  };
  const outcome = await runAgent(input, new AbortController().signal);
  return { outcome, events, requests, summaries, kinds: events.map(({ kind }) => kind) };
}

const begun: readonly Message[] = [
  { role: "system", text: "Orders." },
  { role: "user", text: "Find the number 4711 and tell it." },
];

describe("A14 an agent whose conversation outgrows its model's window", () => {
  const readOn = (_: ModelRequest, n: number): ModelEvent =>
    n < 15 ? reply("", 0, [call(`c${n}`)]) : reply("It is 4711.");

  it("goes on from a summary, with what it was asked in view, and ends as if nothing had been left out", async () => {
    const { outcome, events, requests, summaries } = await run({
      messages: begun,
      context: {},
      model: readOn,
      summarizer: () => reply("So far: read c1 and others."),
    });
    expect(outcome).toMatchObject({ stop_reason: "complete", text: "It is 4711.", iterations: 15 });
    for (const { messages } of requests) {
      expect(isWhole(messages)).toBe(true);
      expect(messages[1]).toEqual(begun[1]);
      expect(conversationBytes(messages) / 4).toBeLessThan(1_000);
    }
    const summarized = events.filter((event) => event.kind === "context_summarized");
    expect(summarized.length).toBeGreaterThan(0);
    expect(summarized[0]).toMatchObject({
      source_range: [1, expect.any(Number)],
      summary: "So far: read c1 and others.",
    });
    const spans = summarized.map(({ source_range: [first, last] }) => last - first + 1);
    expect(summarized.map(({ messages_summarized }) => messages_summarized)).toEqual(spans);
    expect(summarized.every(({ tokens_saved_estimate }) => tokens_saved_estimate > 0)).toBe(true);
    expect(summaries[0]?.messages[1]?.text).toContain("Find the number 4711");
    expect(summaries[1]?.messages[1]?.text).toContain("SUMMARY OF WHAT CAME BEFORE\nSo far");
    // The journal has every message, in order.
    const appended = events.filter((event) => event.kind === "message_appended");
    expect(appended.map(({ index }) => index)).toEqual(appended.map((_, i) => i + 2));
  });

  it.each([
    [
      "llm_call_failed",
      {
        type: "failed",
        failure: { kind: "network", message: "gone" },
        usage: { input_tokens: 0, output_tokens: 0, usd: 0 },
      },
    ],
    ["empty_response", reply("  ")],
    ["reply_parse_error", reply("", 0, [call("x")])],
  ] as const)(
    "A22-41 a summary that fails (%s) keeps the whole conversation",
    async (failure_kind, answer) => {
      const { outcome, events, requests, kinds } = await run({
        messages: begun,
        context: {},
        model: readOn,
        summarizer: () => answer,
      });
      expect(outcome.stop_reason).toBe("complete");
      expect(events.find((event) => event.kind === "context_summarization_failed")).toMatchObject({
        failure_kind,
        fallback: "the conversation stays as it is",
      });
      expect(kinds).not.toContain("context_summarized");
      expect(requests.at(-1)?.messages).toHaveLength(2 + 14 * 2);
      // Not with every turn again.
      expect(kinds.filter((kind) => kind === "context_summarization_failed").length).toBeLessThan(
        10,
      );
    },
  );

  it("takes up the newest summary of the journal where it begins again", async () => {
    const { requests } = await run({
      messages: [
        ...begun,
        assistant("", [call("a")]),
        result("a", "1"),
        { role: "user", text: "And now?" },
      ],
      context: { summary: { text: "Read a.", upto: 4 } },
      model: () => reply("Well."),
      summarizer: () => reply("unused"),
    });
    expect(requests[0]?.messages.map(({ role }) => role)).toEqual(["system", "user"]);
    expect(requests[0]?.messages[0]?.text).toContain("Read a.");
  });

  it("is summarised and asked again where the provider says that it is too long", async () => {
    const { outcome, kinds } = await run({
      messages: [
        ...begun,
        assistant("", [call("a")]),
        result("a", "1"),
        assistant("", [call("b")]),
        result("b", "2"),
      ],
      context: { window_tokens: 1e6 },
      model: (_, n) =>
        n === 1
          ? {
              type: "failed",
              failure: { kind: "context_length", message: "too long" },
              usage: { input_tokens: 0, output_tokens: 0, usd: 0 },
            }
          : reply("Well."),
      summarizer: () => reply("Read a."),
    });
    expect(outcome).toMatchObject({ stop_reason: "complete", text: "Well." });
    expect(kinds).toContain("context_summarized");
  });

  it("is counted as its provider counts: a model with tokens of one byte is summarised sooner", async () => {
    const talk = (input_tokens: number) =>
      run({
        messages: begun,
        context: { window_tokens: 1_500 },
        model: (request, n) =>
          n < 4
            ? reply("", input_tokens * conversationBytes(request.messages), [call(`c${n}`)])
            : reply("Done."),
        summarizer: () => reply("Short."),
      });
    expect((await talk(0)).kinds).not.toContain("context_summarized");
    expect((await talk(2)).kinds).toContain("context_summarized");
  });

  it("keeps to the most messages that its manifest allows", async () => {
    const { requests, kinds } = await run({
      messages: begun,
      context: { window_tokens: 1e6, max_messages: 8 },
      model: readOn,
      summarizer: () => reply("Short."),
    });
    expect(kinds).toContain("context_summarized");
    for (const { messages } of requests) expect(messages.length).toBeLessThanOrEqual(8);
  });
});

it("A22-42 a message that cannot be recorded ends the agent and cuts nothing: it goes on from what is there", async () => {
  const journal: Message[] = [...begun];
  let room = 3;
  const attempt = () =>
    runAgent(
      {
        messages: journal,
        tools: [{ name: "read", description: "", input_schema: {} }],
        model: "m",
        provider: "p",
        limits: {
          max_iterations: 20,
          max_output_tokens: 100,
          max_total_tokens: 1_000_000,
          commit_nudges: 0,
          repeat_threshold: 30,
        },
        stream: async function* (request) {
          await Promise.resolve();
          const n = request.messages.filter(({ role }) => role === "assistant").length;
          yield n < 3 ? reply("", 0, [call(`c${n}`)]) : reply("Done.");
        },
        callTool: () => Promise.resolve({ text: "{}", is_error: false }),
        emit: (event) => {
          if (event.kind !== "message_appended") return Promise.resolve();
          if (room-- <= 0) return Promise.reject(new Error("the disk is full"));
          expect(event.index).toBe(journal.length);
          journal.push(event.message);
          return Promise.resolve();
        },
        outputsExist: () => Promise.resolve(true),
      },
      new AbortController().signal,
    );
  await expect(attempt()).rejects.toThrow("the disk is full");
  expect(journal).toHaveLength(5);
  room = 100;
  expect(await attempt()).toMatchObject({ stop_reason: "complete", text: "Done." });
  expect(isWhole(journal)).toBe(true);
});
