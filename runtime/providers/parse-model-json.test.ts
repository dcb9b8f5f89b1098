import { describe, expect, it } from "vitest";
import { jsonCandidates } from "./json-extract.js";
import { parseModelJson } from "./parse-model-json.js";
import { replyEvent } from "./reply.js";
import { toolNames } from "./tool-names.js";

const nested = (levels: number) => "[".repeat(levels) + "]".repeat(levels);

describe("JSON that a model wrote", () => {
  it("comes through as it is where it can be stored", () => {
    const text =
      '{"path": "/a", "lines": [1, 2.5, true, null], "face": "😀", "__proto__": {"a": 1}}';
    expect(JSON.stringify(parseModelJson(text))).toBe(JSON.stringify(JSON.parse(text)));
    expect(parseModelJson(nested(64))).toBeDefined();
  });

  it("half a surrogate pair, which nothing can hash or store, is replaced in texts and keys", () => {
    expect(parseModelJson('{"a\\ud800": ["\\udc00b"]}')).toEqual({ "a\ufffd": ["\ufffdb"] });
  });

  it.each([
    ["a number that is no finite one", '{"limit": 1e999}'],
    ["nesting that would exhaust a stack", nested(100_000)],
    ["nesting one level too deep", nested(65)],
    ["no JSON", "{"],
  ])("%s is none", (_what, text) => {
    expect(parseModelJson(text)).toBeUndefined();
  });

  it("makes a malformed call where it cannot be stored, and never a broken one", () => {
    const request = { model: "m", messages: [], tools: [], max_output_tokens: 1 };
    const calls = ['{"n": 1e999}', nested(10_000), '{"text": "\\ud83d"}'].map((text, i) => ({
      id: String(i),
      name: "echo",
      arguments: text,
    }));
    const usage = { input_tokens: 0, output_tokens: 0, usd: 0 };
    const reply = replyEvent({ text: "", calls, cut: undefined }, request, toolNames([]), usage);
    const [infinite, deep, half] = reply.message.tool_calls;
    expect(infinite).toMatchObject({ input: null, malformed: '{"n": 1e999}' });
    expect(deep).toMatchObject({ input: null, malformed: nested(10_000) });
    expect(half).toEqual({ id: "2", name: "echo", input: { text: "\ufffd" } });
  });

  it("a plan nested without end is no candidate", () => {
    expect(jsonCandidates(`{"steps": ${nested(5_000)}}`)).toEqual([]);
  });
});
