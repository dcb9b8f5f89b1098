import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import type { Json } from "../protocol/json.js";
import { editYaml } from "./edit-yaml.js";

const FILE = `# our providers
default: deepseek   # for now

providers:
  # the cheap one
  deepseek: {api: openai, base_url: "https://api.deepseek.com/v1", credential: deepseek}
  'local': {api: openai, base_url: "http://127.0.0.1:8080/v1"}
# prices
models: {}
aliases: {planner: deepseek-flash, fast: 'deepseek-flash'}
`;

describe("editYaml", () => {
  it("changes one value and no other byte", () => {
    expect(editYaml(FILE, [{ path: ["default"], value: "anthropic" }])).toBe(
      FILE.replace("default: deepseek ", "default: anthropic "),
    );
    expect(editYaml(FILE, [{ path: ["aliases", "fast"], value: "x" }])).toBe(
      FILE.replace("'deepseek-flash'", "x"),
    );
  });

  it("puts a new entry behind the others of its map, indented as they are", () => {
    const entry = { api: "anthropic", credential: "anthropic" };
    expect(editYaml(FILE, [{ path: ["providers", "anthropic"], value: entry }])).toBe(
      FILE.replace(
        '8080/v1"}\n',
        '8080/v1"}\n  anthropic: {api: anthropic, credential: anthropic}\n',
      ),
    );
    expect(editYaml(FILE, [{ path: ["models", "m"], value: { provider: "local" } }])).toBe(
      FILE.replace("models: {}", "models: {m: {provider: local}}"),
    );
    expect(editYaml(FILE, [{ path: ["aliases", "strong"], value: "y" }])).toBe(
      FILE.replace("'deepseek-flash'}", "'deepseek-flash', strong: y}"),
    );
  });

  it("makes what is missing, in an empty file too; a key without a value gets it", () => {
    expect(editYaml("", [{ path: ["a", "b"], value: 1 }])).toBe("a: {b: 1}\n");
    expect(editYaml("# nothing yet\n", [{ path: ["a"], value: "x" }])).toBe(
      "# nothing yet\na: x\n",
    );
    expect(editYaml("a:\nb: 2\n", [{ path: ["a"], value: "x" }])).toBe("a: x\nb: 2\n");
    expect(parse(editYaml("a:\nb: 2", [{ path: ["a", "c"], value: "x" }]))).toEqual({
      a: { c: "x" },
      b: 2,
    });
  });

  it("what is so already is left alone, and a broken file is refused", () => {
    expect(editYaml(FILE, [{ path: ["default"], value: "deepseek" }])).toBe(FILE);
    expect(() => editYaml("a: [", [{ path: ["a"], value: 1 }])).toThrow();
  });

  it("any value, at any place, is there afterwards and all others are as before", () => {
    const key = fc.constantFrom("default", "a", "b c", "providers", "#", "x: y", "null", "1");
    const value = fc.oneof(
      fc.string(),
      fc.integer(),
      fc.boolean(),
      fc.constant<Json>({ k: ["v, w", "}"] }),
    );
    fc.assert(
      fc.property(key, key, value, (one, two, wanted) => {
        const before = parse(FILE) as Record<string, Record<string, unknown>>;
        const path = one === "default" ? [one] : [one, two];
        const after = parse(editYaml(FILE, [{ path, value: wanted }])) as typeof before;
        if (path.length === 1) expect(after).toEqual({ ...before, [one]: wanted });
        else expect(after).toEqual({ ...before, [one]: { ...before[one], [two]: wanted } });
      }),
      { numRuns: 300 },
    );
  });
});
