import { describe, expect, it } from "vitest";
import { z } from "zod";
import { ProvidersFile } from "../protocol/providers-file.js";
import { Settings } from "../protocol/settings.js";
import { formatProblem } from "./file-problem.js";
import { parseYaml } from "./parse-file.js";

function problems(schema: z.ZodType, text: string): readonly string[] {
  const parsed = parseYaml(schema, text, "f.yaml");
  return parsed.ok ? [] : parsed.problems.map(formatProblem);
}

describe("a problem names file, line and field, and says what to do", () => {
  it("an unknown key, also inside defaults, records and unions", () => {
    expect(problems(Settings, "log_level: info\nagnt: {}\n")).toEqual([
      "f.yaml:2: agnt: is unknown (did you mean agent?)",
    ]);
    expect(problems(Settings, "web:\n  timeout_s: 3\n  max_redirect: 1\n")).toEqual([
      "f.yaml:3: web.max_redirect: is unknown (did you mean max_redirects?)",
    ]);
    expect(
      problems(ProvidersFile, "providers:\n  x:\n    api: openai\n    base_ulr: http://x/\n"),
    ).toEqual(["f.yaml:4: providers.x.base_ulr: is unknown (did you mean base_url?)"]);
  });

  it("a wrong type, a value out of range, a wrong choice, a missing field", () => {
    expect(problems(Settings, "model_slots: many")).toEqual([
      "f.yaml:1: model_slots: must be a number, received string",
    ]);
    expect(problems(Settings, "model_slots: 0")).toEqual(["f.yaml:1: model_slots: must be >=1"]);
    expect(problems(Settings, "log_level: wran")).toEqual([
      "f.yaml:1: log_level: must be one of debug, info, warn, error",
    ]);
    expect(
      problems(z.strictObject({ a: z.strictObject({ b: z.string() }) }), "a:\n  {}\n"),
    ).toEqual(["f.yaml:2: a.b: is missing"]);
    expect(problems(ProvidersFile, "providers:\n  x: {api: opnai}\n")).toEqual([
      "f.yaml:2: providers.x.api: Invalid discriminator value. Expected 'openai' | 'anthropic' | 'builtin'",
    ]);
  });

  it("all of them at once", () => {
    expect(problems(Settings, "a: 1\nb: 2\nmodel_slots: 0\n")).toHaveLength(3);
  });
});

describe("YAML itself", () => {
  it("a duplicate key is refused where it stands", () => {
    expect(problems(Settings, "log_level: info\nlog_level: warn\n")).toEqual([
      "f.yaml:2: Map keys must be unique (keep one of the two)",
    ]);
  });

  it("a syntax error names its line", () => {
    expect(problems(Settings, "web:\n  timeout_s: [1\n")[0]).toMatch(/^f\.yaml:[23]: /);
    expect(problems(Settings, "web:\n\ttimeout_s: 1\n")[0]).toMatch(/^f\.yaml:2: /);
  });

  it("a second document and a tag are refused", () => {
    expect(problems(Settings, "log_level: info\n---\nlog_level: warn\n")).toHaveLength(1);
    expect(problems(Settings, "log_level: !!js/function 'x'\n")[0]).toContain("tag");
  });

  it("an alias bomb is refused, a plain alias is taken", () => {
    const level = (n: number): string =>
      `l${n}: &l${n} [${Array.from({ length: 9 }, () => `*l${n - 1}`).join(",")}]`;
    const bomb = `l0: &l0 [x]\n${[1, 2, 3, 4, 5, 6, 7, 8, 9].map(level).join("\n")}\n`;
    const started = performance.now();
    expect(problems(z.record(z.string(), z.unknown()), bomb)[0]).toContain("alias");
    expect(performance.now() - started).toBeLessThan(1_000);
    expect(problems(z.record(z.string(), z.unknown()), "a: &x [1]\nb: *x\n")).toEqual([]);
  });

  it("nesting beyond the stack and a file beyond 1 MiB are problems, not crashes", () => {
    for (const text of [
      "[".repeat(500_000),
      '["]",'.repeat(100_000),
      "{a: ".repeat(200_000),
      "- ".repeat(400_000),
      "? ".repeat(400_000),
    ]) {
      expect(problems(Settings, text)).toEqual([expect.stringContaining("is nested too deeply")]);
    }
    const indented = Array.from({ length: 1_400 }, (_, i) => `${" ".repeat(i)}a:`).join("\n");
    expect(problems(Settings, indented)).toHaveLength(1);
    expect(problems(Settings, "web: {timeout_s: 3} # [[[[ {{{{")).toEqual([]);
    expect(problems(Settings, `# ${"x".repeat(1_048_576)}`)).toEqual([
      "f.yaml:1: is larger than 1 MiB",
    ]);
  });

  it("an empty file is an empty map, a scalar is not", () => {
    expect(parseYaml(Settings, "", "f.yaml")).toMatchObject({
      ok: true,
      value: { log_level: "info" },
    });
    expect(parseYaml(Settings, "# only a comment\n", "f.yaml").ok).toBe(true);
    expect(problems(Settings, "hello")).toEqual(["f.yaml:1: must be an object, received string"]);
  });

  it("a key __proto__ changes no prototype", () => {
    expect(problems(Settings, "__proto__: {log_level: debug}\n")).toHaveLength(1);
    expect({}).not.toHaveProperty("log_level");
  });
});
