import { describe, expect, it } from "vitest";
import { jsonCandidates } from "./json-extract.js";

describe("jsonCandidates", () => {
  it.each([
    ['{"a": 1}', { a: 1 }],
    ["  [1, 2] ", [1, 2]],
    ['```json\n{"a": 1}\n```', { a: 1 }],
    ['Sure! {"a": {"b": 2}} Done.', { a: { b: 2 } }],
    ['<think>{"no": 1}</think>{"yes": 1}', { yes: 1 }],
    ['Take {x} and then {"a": "long enough"}', { a: "long enough" }],
  ])("finds the JSON in %s", (text, value) => {
    expect(jsonCandidates(text)[0]).toEqual(value);
  });

  it("A24-5 braces and quotes inside strings do not count", () => {
    const value = { a: 'a } brace, an { opened one, a \\ and a " quote', b: "}" };
    expect(jsonCandidates(`text before ${JSON.stringify(value)} and after }`)[0]).toEqual(value);
  });

  it("finds nothing in prose and in what is cut off", () => {
    expect(jsonCandidates("no JSON here")).toEqual([]);
    expect(jsonCandidates('{"steps": [{"id": "a"')).toEqual([]);
  });

  it("a reply of nothing but brackets costs little", () => {
    const started = performance.now();
    expect(jsonCandidates("{".repeat(200_000))).toEqual([]);
    expect(performance.now() - started).toBeLessThan(2_000);
  });
});
