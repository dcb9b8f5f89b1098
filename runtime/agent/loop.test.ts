import { describe, expect, it } from "vitest";
import { AgentdError } from "../protocol/agentd-error.js";
import type { Json } from "../protocol/json.js";
import type { AssistantMessage, Message, ToolCallRequest } from "../protocol/message.js";
import type { ModelEvent, ModelRequest, ModelStream, ReplyEnd } from "../protocol/model.js";
import type { AgentEmit, AgentInput, AgentLimits, CallResult } from "./agent-input.js";
import { runAgent } from "./loop.js";
import { NUDGES } from "./nudge.js";

const usage = { input_tokens: 10, output_tokens: 5, usd: 0.01 };
const never = new AbortController().signal;

function reply(
  text: string,
  calls: ToolCallRequest[] = [],
  end?: ReplyEnd,
  reasoning?: string,
): ModelEvent {
  const message: AssistantMessage = {
    role: "assistant",
    text,
    tool_calls: calls,
    ...(reasoning !== undefined && { reasoning }),
  };
  return {
    type: "reply",
    message,
    end: end ?? (calls.length > 0 ? "tool_use" : "end_turn"),
    usage,
  };
}
const call = (id: string, name: string, input: Json = {}): ToolCallRequest => ({ id, name, input });

interface Script {
  readonly replies: readonly (ModelEvent | readonly ModelEvent[])[];
  readonly limits?: Partial<AgentLimits>;
  readonly messages?: readonly Message[];
  readonly readOnly?: readonly string[];
  readonly callTool?: AgentInput["callTool"];
  readonly outputsExist?: () => boolean;
  readonly signal?: AbortSignal;
}

/** Runs the loop against a scripted model and tells all that happened. After the script the model repeats its last reply. */
async function run(script: Script) {
  const events: AgentEmit[] = [];
  const requests: ModelRequest[] = [];
  const called: ToolCallRequest[] = [];
  const stream: ModelStream = async function* (request) {
    const next = script.replies[Math.min(requests.length, script.replies.length - 1)];
    requests.push(request);
    await Promise.resolve();
    yield* (next === undefined ? [] : [next].flat()) as ModelEvent[];
  };
  const callTool =
    script.callTool ?? (() => Promise.resolve({ text: '{"ok":1}', is_error: false }));
  const input: AgentInput = {
    messages: script.messages ?? [{ role: "user", text: "do it" }],
    tools: ["a", "b", "read"].map((name) => ({ name, description: name, input_schema: {} })),
    read_only_tools: new Set(script.readOnly ?? []),
    model: "m",
    provider: "p",
    limits: {
      max_iterations: 20,
      max_output_tokens: 100,
      max_total_tokens: 100_000,
      commit_nudges: 0,
      repeat_threshold: 3,
      ...script.limits,
    },
    stream,
    callTool: (request, signal) => {
      called.push(request);
      return callTool(request, signal);
    },
    emit: (event) => {
      events.push(event);
      return Promise.resolve();
    },
    outputsExist: () => Promise.resolve(script.outputsExist?.() ?? true),
  };
  const outcome = await runAgent(input, script.signal ?? never);
  const appended = events.flatMap((event) =>
    event.kind === "message_appended" ? [event.message] : [],
  );
  return {
    outcome,
    events,
    requests,
    called,
    appended,
    transcript: [...input.messages, ...appended],
  };
}

function results(messages: readonly Message[]) {
  return messages.flatMap((message) => (message.role === "tool" ? [message] : []));
}
/** A33: every call has exactly one result, after it and before the next reply. */
function expectWhole(messages: readonly Message[]): void {
  let open: string[] = [];
  for (const message of messages) {
    if (message.role === "tool") {
      expect(open).toContain(message.call_id);
      open = open.filter((id) => id !== message.call_id);
    } else expect(open).toEqual([]);
    if (message.role === "assistant") open = message.tool_calls.map(({ id }) => id);
  }
  expect(open).toEqual([]);
}

describe("turns", () => {
  it("an answer ends the agent", async () => {
    const { outcome, appended } = await run({ replies: [reply("done")] });
    expect(outcome).toEqual({ stop_reason: "complete", text: "done", usage, iterations: 1 });
    expect(appended).toHaveLength(1);
  });

  it("A9 tool calls are answered and the model goes on from the results", async () => {
    const { outcome, requests, transcript } = await run({
      replies: [reply("", [call("1", "a", { x: 1 }), call("2", "b")]), reply("done")],
    });
    expect(outcome).toMatchObject({
      stop_reason: "complete",
      iterations: 2,
      usage: { input_tokens: 20 },
    });
    expect(requests[1]?.messages.slice(1)).toMatchObject([
      { role: "assistant" },
      { role: "tool", call_id: "1", tool: "a", text: '{"ok":1}', is_error: false },
      { role: "tool", call_id: "2", tool: "b" },
    ]);
    expectWhole(transcript);
  });

  it("every message is in the journal, with its index, before anything follows from it", async () => {
    const order: string[] = [];
    const { events } = await run({
      replies: [reply("", [call("1", "a")]), reply("done")],
      callTool: () => {
        order.push("call");
        return Promise.resolve({ text: "{}", is_error: false });
      },
    });
    const appended = events.filter((event) => event.kind === "message_appended");
    expect(appended.map(({ index, message }) => [index, message.role])).toEqual([
      [1, "assistant"],
      [2, "tool"],
      [3, "assistant"],
    ]);
    expect(order).toEqual(["call"]);
  });

  it("calls run one after another, neighbours that change nothing at the same time, results in order", async () => {
    let running = 0;
    const most: Record<string, number> = {};
    const { called, transcript } = await run({
      readOnly: ["read"],
      replies: [
        reply("", [call("1", "a"), call("2", "read"), call("3", "read", [1]), call("4", "b")]),
        reply("done"),
      ],
      callTool: async ({ name, id }) => {
        most[name] = Math.max(most[name] ?? 0, ++running);
        await new Promise((resolve) => setTimeout(resolve, id === "2" ? 40 : 10));
        running--;
        return { text: `{"id":${id}}`, is_error: false };
      },
    });
    expect(most).toEqual({ a: 1, read: 2, b: 1 });
    expect(called.map(({ id }) => id)).toEqual(["1", "2", "3", "4"]);
    expect(results(transcript).map(({ call_id }) => call_id)).toEqual(["1", "2", "3", "4"]);
  });

  it("calls count although the server says that the turn has ended", async () => {
    const { called } = await run({
      replies: [reply("", [call("1", "a")], "end_turn"), reply("done")],
    });
    expect(called).toHaveLength(1);
  });

  it("calls of one reply that share an id are told apart", async () => {
    const { transcript } = await run({
      replies: [reply("", [call("x", "a"), call("x", "b"), call("x", "a", 1)]), reply("done")],
    });
    expect(new Set(results(transcript).map(({ call_id }) => call_id)).size).toBe(3);
    expectWhole(transcript);
  });
});

describe("calls that cannot be made", () => {
  it("an unknown tool and malformed arguments are errors that the model can correct", async () => {
    const { called, transcript } = await run({
      replies: [
        reply("", [call("1", "reads"), { id: "2", name: "a", input: null, malformed: '{"x":' }]),
        reply("done"),
      ],
    });
    expect(called).toEqual([]);
    const [unknown, malformed] = results(transcript);
    expect(unknown).toMatchObject({ is_error: true, call_id: "1" });
    expect(JSON.parse(unknown?.text ?? "")).toMatchObject({
      error: {
        kind: "not_found",
        message: expect.stringContaining("did you mean read?") as string,
      },
    });
    expect(JSON.parse(malformed?.text ?? "")).toMatchObject({ error: { kind: "invalid_input" } });
    expectWhole(transcript);
  });

  it("a call that breaks an invariant ends the loop by throwing", async () => {
    const broken = run({
      replies: [reply("", [call("1", "a")])],
      callTool: () => Promise.reject(new Error("broken")),
    });
    await expect(broken).rejects.toThrow("broken");
  });
});

describe("limits", () => {
  it("the iteration limit is checked at every turn, nudges included", async () => {
    const tools = await run({
      limits: { max_iterations: 3, repeat_threshold: 99 },
      replies: [reply("", [call("1", "a")])],
    });
    expect(tools.outcome).toMatchObject({ stop_reason: "max_iterations", iterations: 3 });
    expectWhole(tools.transcript);
    const nudged = await run({
      limits: { max_iterations: 3, commit_nudges: 10 },
      outputsExist: () => false,
      replies: [reply("done")],
    });
    expect(nudged.outcome).toMatchObject({ stop_reason: "max_iterations", iterations: 3 });
  });

  it("the token limit ends the agent before the next call of the model", async () => {
    const { outcome, requests } = await run({
      limits: { max_total_tokens: 30, repeat_threshold: 99 },
      replies: [reply("", [call("1", "a")])],
    });
    expect(outcome).toMatchObject({ stop_reason: "max_tokens" });
    expect(requests).toHaveLength(2);
  });
});

describe("nudges", () => {
  it("an agent that ends without its output is reminded, as often as its role says", async () => {
    const { outcome, events, appended } = await run({
      limits: { commit_nudges: 2 },
      outputsExist: () => false,
      replies: [reply("one"), reply("two"), reply("three")],
    });
    expect(outcome).toMatchObject({ stop_reason: "complete", text: "three" });
    expect(events.filter(({ kind }) => kind === "agent_nudged")).toEqual([
      { kind: "agent_nudged", reason: "uncommitted" },
      { kind: "agent_nudged", reason: "uncommitted" },
    ]);
    expect(appended).toContainEqual({ role: "user", text: NUDGES.uncommitted });
  });

  it("A24-34 an agent is never reminded once its output exists", async () => {
    let written = false;
    const { outcome, events } = await run({
      limits: { commit_nudges: 2 },
      outputsExist: () => written,
      callTool: () => {
        written = true;
        return Promise.resolve({ text: "{}", is_error: false });
      },
      replies: [reply("", [call("1", "a")]), reply("done")],
    });
    expect(outcome).toMatchObject({ stop_reason: "complete", text: "done" });
    expect(events.filter(({ kind }) => kind === "agent_nudged")).toEqual([]);
  });

  it.each([
    ["thought_only", reply("", [], "end_turn", "hm, let me see")],
    ["blank", reply(" \n", [], "blank")],
    ["blank", reply("I will call a tool now", [], "tool_use")],
  ] as const)(
    "A22-14 a turn that holds nothing (%s) is nudged and does not end the agent",
    async (reason, empty) => {
      const { outcome, events } = await run({ replies: [empty, empty, empty, reply("done")] });
      expect(outcome).toMatchObject({ stop_reason: "complete", iterations: 4 });
      const nudge = { kind: "agent_nudged", reason };
      expect(events.filter(({ kind }) => kind === "agent_nudged")).toEqual([nudge, nudge, nudge]);
    },
  );

  it("A22-14 turns that hold nothing end the agent after three nudges, and only in a row", async () => {
    const empty = reply("", [], "blank");
    const ended = await run({ replies: [empty] });
    expect(ended.outcome).toMatchObject({ stop_reason: "blank", iterations: 4 });
    const work = reply("", [call("1", "a")]);
    const { outcome } = await run({
      replies: [empty, empty, empty, work, empty, empty, empty, reply("done")],
    });
    expect(outcome).toMatchObject({ stop_reason: "complete", iterations: 8 });
  });

  it("an empty assistant message never enters the conversation", async () => {
    const { appended } = await run({ replies: [reply("", [], "blank"), reply("done")] });
    expect(appended.map(({ role }) => role)).toEqual(["user", "assistant"]);
  });
});

describe("replies that are cut off", () => {
  it("A24-3 the agent is asked to go on at most twice, then its end is no success", async () => {
    const { outcome, events } = await run({ replies: [reply("part ", [], "max_tokens")] });
    expect(outcome).toMatchObject({ stop_reason: "truncated", iterations: 3 });
    expect(events.filter(({ kind }) => kind === "agent_nudged")).toHaveLength(2);
  });

  it("the pieces of an answer are joined", async () => {
    const { outcome } = await run({ replies: [reply("one ", [], "max_tokens"), reply("two")] });
    expect(outcome).toMatchObject({ stop_reason: "complete", text: "one two" });
  });

  it("calls of a reply that was cut off are never carried out", async () => {
    const { called, transcript, outcome } = await run({
      replies: [reply("", [call("1", "a", { content: "half" })], "max_tokens"), reply("done")],
    });
    expect(called).toEqual([]);
    expect(outcome.stop_reason).toBe("complete");
    expectWhole(transcript);
  });
});

describe("the repeat guard", () => {
  const same = (id: number) => reply("", [call(String(id), "a", { y: 1, x: [2] })]);
  const guardOf = ({ text }: { text: string }) =>
    (JSON.parse(text) as { _repeat_guard?: { attempt_count: number; hint: string } })._repeat_guard;

  it("the third call with the same input carries a hint, success and error alike", async () => {
    for (const is_error of [false, true]) {
      const result: CallResult = { text: '{"v":1}', is_error };
      const { transcript, events } = await run({
        replies: [same(1), same(2), reply("", [call("3", "a", { x: [2], y: 1 })]), reply("done")],
        callTool: () => Promise.resolve(result),
      });
      const [first, second, third] = results(transcript).map(guardOf);
      expect([first, second]).toEqual([undefined, undefined]);
      expect(third?.attempt_count).toBe(3);
      expect(JSON.parse(results(transcript)[2]?.text ?? "")).toMatchObject({ v: 1 });
      expect(results(transcript)[2]?.is_error).toBe(is_error);
      expect(events.map(({ kind }) => kind).filter((kind) => kind.startsWith("tool_"))).toEqual([
        "tool_repeat",
        "tool_repeat_guard_fired",
      ]);
    }
  });

  it("other inputs and other tools are no repetition", async () => {
    const replies = [1, 2, 3, 4].map((i) =>
      reply("", [call("1", "a", { i }), call("2", "b", { i })]),
    );
    const { events } = await run({ replies: [...replies, reply("done")] });
    expect(events.filter(({ kind }) => kind.startsWith("tool_"))).toEqual([]);
  });

  it("the same call twice as often as the threshold ends the agent with an error", async () => {
    const { outcome, called, transcript } = await run({ replies: [same(1)] });
    expect(outcome).toMatchObject({ stop_reason: "error" });
    expect(outcome.message).toContain("again and again");
    expect(called).toHaveLength(5);
    expectWhole(transcript);
  });

  it("a test run again after an edit is hinted at, but never ends the agent", async () => {
    const turns = Array.from({ length: 8 }, (_, i) => [
      reply("", [call("e", "b", { edit: i })]),
      same(i),
    ]).flat();
    const { outcome } = await run({ replies: [...turns, reply("done")] });
    expect(outcome.stop_reason).toBe("complete");
  });
});

describe("ends that are no success", () => {
  it("A24-3 a provider that gives up is an error with its kind", async () => {
    const failure = { kind: "auth", message: "the key is wrong", status: 401 } as const;
    const { outcome } = await run({ replies: [{ type: "failed", failure, usage }] });
    expect(outcome).toMatchObject({
      stop_reason: "error",
      message: "auth: the key is wrong",
      failure,
      usage,
    });
  });

  it("retries are told as they happen", async () => {
    const failure = { kind: "overloaded", message: "busy" } as const;
    const retry: ModelEvent = { type: "retry", attempt: 1, wait_ms: 500, failure };
    const { events } = await run({ replies: [[retry, reply("done")]] });
    expect(events[0]).toEqual({
      kind: "model_call_retried",
      provider: "p",
      model: "m",
      attempt: 1,
      wait_ms: 500,
      reason: "overloaded: busy",
    });
  });

  it("a stream without a reply and a refusal are errors", async () => {
    expect((await run({ replies: [[]] })).outcome).toMatchObject({ stop_reason: "error" });
    const refused = await run({ replies: [reply("I must not", [], "refused")] });
    expect(refused.outcome).toMatchObject({
      stop_reason: "error",
      message: expect.stringContaining("refused") as string,
    });
  });

  it.each([
    ["cancelled", new Error("stopped by uid 1000")],
    ["timeout", new DOMException("too long", "TimeoutError")],
    ["budget_exceeded", new AgentdError("budget_exceeded", "run agent", "over budget")],
  ] as const)("an abort ends with %s by its reason", async (stop_reason, reason) => {
    const { outcome } = await run({ replies: [reply("x")], signal: AbortSignal.abort(reason) });
    expect(outcome).toMatchObject({ stop_reason, message: reason.message, iterations: 0 });
  });

  it("A24-33 every call has exactly one result, also where an abort forestalls it", async () => {
    for (const throws of [false, true]) {
      const controller = new AbortController();
      const { outcome, called, transcript } = await run({
        signal: controller.signal,
        replies: [reply("", [call("1", "a"), call("2", "b"), call("3", "a", 1)])],
        callTool: () => {
          controller.abort(new Error("stopped"));
          if (throws) return Promise.reject(new Error("torn"));
          return Promise.resolve({ text: "{}", is_error: false });
        },
      });
      expect(outcome.stop_reason).toBe("cancelled");
      expect(called).toHaveLength(1);
      expect(results(transcript).map(({ is_error }) => is_error)).toEqual([throws, true, true]);
      expectWhole(transcript);
    }
  });
});

describe("going on after a crash", () => {
  const asked: Message = { role: "user", text: "do it" };
  const calls = [call("1", "a"), call("2", "b"), call("3", "a", 1)];
  const turn: Message = { role: "assistant", text: "", tool_calls: calls };
  const done = (id: string, tool: string): Message => ({
    role: "tool",
    call_id: id,
    tool,
    text: "{}",
    is_error: false,
  });

  it("open calls of the last turn are answered first, answered ones never again", async () => {
    const { called, transcript, outcome } = await run({
      messages: [asked, turn, done("1", "a")],
      replies: [reply("done")],
    });
    expect(called.map(({ id }) => id)).toEqual(["2", "3"]);
    expect(outcome).toMatchObject({ stop_reason: "complete", iterations: 2 });
    expectWhole(transcript);
  });

  it("an answer that was recorded is not asked for again", async () => {
    const answer: Message = { role: "assistant", text: "done", tool_calls: [] };
    const { requests, outcome } = await run({ messages: [asked, answer], replies: [] });
    expect(requests).toEqual([]);
    expect(outcome).toMatchObject({ stop_reason: "complete", text: "done", iterations: 1 });
  });

  it("turns, reminders and repetitions from before count", async () => {
    const said: Message = { role: "assistant", text: "done", tool_calls: [] };
    const nudge: Message = { role: "user", text: NUDGES.uncommitted };
    const spent = await run({
      messages: [asked, said, nudge],
      limits: { commit_nudges: 1 },
      outputsExist: () => false,
      replies: [reply("done")],
    });
    expect(spent.outcome).toMatchObject({ stop_reason: "complete", iterations: 2 });
    const once: Message = { role: "assistant", text: "", tool_calls: [call("1", "a")] };
    const repeated = await run({
      messages: [asked, once, done("1", "a"), once, done("1", "a")],
      replies: [reply("", [call("1", "a")]), reply("done")],
    });
    expect(repeated.events.map(({ kind }) => kind)).toContain("tool_repeat_guard_fired");
  });
});
