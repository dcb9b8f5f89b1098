import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { expandGrants, renderTemplate } from "../policy/expand.js";
import { formatCapability } from "../policy/grammar.js";
import type { Role } from "../protocol/role.js";
import { formatProblem } from "./file-problem.js";
import { declaredOutputs } from "./role-checks.js";
import { resolveParams } from "./role-params.js";
import { loadRoles, parseRole } from "./roles.js";

const VENDOR = join(import.meta.dirname, "../../packaging/roles");

function roleText(name: string, more = ""): string {
  return `name: ${name}\nsystem_prompt: Works.\nmessage_template: "Do it."\n${more}`;
}

function role(more: string): Role {
  const parsed = parseRole(roleText("probe", more), "probe.yaml");
  if (!parsed.ok) throw new Error(parsed.problems.map(formatProblem).join("\n"));
  return parsed.role;
}

function problemsOf(more: string): readonly string[] {
  const parsed = parseRole(roleText("probe", more), "probe.yaml");
  return parsed.ok ? [] : parsed.problems.map(formatProblem);
}

let top: string;
beforeEach(() => {
  top = mkdtempSync(join(tmpdir(), "aaos-roles-"));
  mkdirSync(join(top, "vendor"));
  mkdirSync(join(top, "operator"));
});
afterEach(() => {
  rmSync(top, { recursive: true });
});

function put(place: "vendor" | "operator", file: string, text: string): void {
  writeFileSync(join(top, place, file), text);
}

function load(): ReturnType<typeof loadRoles> {
  return loadRoles([
    { dir: join(top, "vendor"), origin: "vendor" },
    { dir: join(top, "operator"), origin: "operator" },
  ]);
}

describe("vendor roles", () => {
  const loaded = loadRoles([{ dir: VENDOR, origin: "vendor" }]);

  it("all load, without a problem, each from a file of its name", () => {
    expect(loaded.problems).toEqual([]);
    const names = ["analyzer", "builder", "fetcher", "generalist", "writer"];
    expect([...loaded.roles.keys()].sort()).toEqual(names);
    expect(readdirSync(VENDOR).sort()).toEqual(names.map((name) => `${name}.yaml`));
  });

  it("grant what their parameters name, and nothing else", () => {
    const grants = (name: string, raw: Record<string, unknown>): readonly string[] => {
      const found = loaded.roles.get(name)?.role;
      if (found === undefined) throw new Error(`no role ${name}`);
      const resolved = resolveParams(found, raw);
      if (!resolved.ok) throw new Error(resolved.problems.join("\n"));
      const { grants: made, problems } = expandGrants(found.capabilities, resolved.params);
      expect(problems).toEqual([]);
      return made.map((grant) => formatCapability(grant.capability));
    };
    expect(grants("fetcher", { url: "https://A.example/x?y=1", workspace: "/run1/a.md" })).toEqual([
      "tool: web_fetch",
      "network: a.example:443",
      "file_write: /run1/a.md",
    ]);
    expect(
      grants("analyzer", { inputs: ["/r/a.md", "/r/b.md"], question: "Which?", output: "/r/c.md" }),
    ).toEqual(["file_read: /r/a.md", "file_read: /r/b.md", "file_write: /r/c.md"]);
    expect(
      grants("builder", { workspace: "/src/p", plan: "/data/plan.md", report: "/data/r.md" }),
    ).toEqual(
      expect.arrayContaining(["file_read: /src/p/*", "file_write: /src/p/*", "cargo_run: /src/p"]),
    );
  });

  it("U4 an optional workspace that is unset grants nothing and leaves no brace behind", () => {
    const generalist = loaded.roles.get("generalist")?.role;
    const resolved = generalist && resolveParams(generalist, { task_description: "Find it." });
    if (generalist === undefined || resolved?.ok !== true) throw new Error("no params");
    const written = expandGrants(generalist.capabilities, resolved.params).grants.map((grant) =>
      formatCapability(grant.capability),
    );
    expect(written.filter((text) => text.includes("{") || text.includes("workspace"))).toEqual([]);
    expect(written).toContain("file_write: /output/*");
    expect(renderTemplate(generalist.message_template, resolved.params)).toBe(
      "Find it.\n\nWorkspace: \n",
    );
  });

  it("A24-9 the analyzer declares an output, so that a later step can read it", () => {
    const outputs = [...loaded.roles.values()].map((one) => [
      one.role.name,
      declaredOutputs(one.role),
    ]);
    expect(Object.fromEntries(outputs)).toEqual({
      analyzer: ["output"],
      builder: ["report"],
      fetcher: ["output"],
      generalist: ["output"],
      writer: ["output"],
    });
  });

  it("hold the contracts of their prompts", () => {
    for (const name of ["analyzer", "writer"]) {
      const text = readFileSync(join(VENDOR, `${name}.yaml`), "utf8");
      expect(text).toContain("ERROR: missing input <path>");
      expect(text).toContain("ERROR: cannot write <output>: <reason>");
    }
  });
});

describe("a role is refused", () => {
  it.each([
    [
      'capabilities: ["file_raed: /data/*"]',
      "probe.yaml:4: capabilities[0]: unknown capability 'file_raed'; did you mean file_read?",
    ],
    [
      'capabilities: ["file_read: {inpt}"]\nparameters: {input: {}}',
      "probe.yaml:4: capabilities[0]: {inpt} is no parameter of this role (did you mean {input}?)",
    ],
    [
      'capabilities: ["file_read: {inputs}"]\nparameters: {inputs: {type: string_list}}',
      "probe.yaml:4: capabilities[0]: 'inputs' is a string_list (write {inputs.*})",
    ],
    [
      "capabilities: [file_write: {output}]\nparameters: {output: {type: path}}",
      'probe.yaml:4: capabilities[0]: file_write: put the value in quotes, such as file_write: "{output}"',
    ],
    [
      "model: fast\nmodel_ladder: [strong, fast]",
      "probe.yaml:5: model_ladder[0]: begins with 'strong', but model is 'fast' (begin the ladder with the role's model)",
    ],
    [
      "require_declared_output: true",
      'probe.yaml:4: require_declared_output: but no output is declared (add the capability "file_write: {output}" with a parameter output)',
    ],
    [
      "parameters:\n  a: {}\n  b: {aliases: [a]}",
      "probe.yaml:6: parameters.b.aliases[0]: 'a' already names 'a' (choose another)",
    ],
    [
      "scaffold: {kind: fetcher}\nparameters: {url: {}}",
      "probe.yaml:4: scaffold: the fetcher needs the parameter 'output' (declare it under parameters)",
    ],
    [
      "retry: {on: [step_fail, provider_unavailable]}",
      "probe.yaml:4: retry.on[0]: 'step_fail' is no kind of error (did you mean step_failed?)",
    ],
    ["priorty: 3", "probe.yaml:4: priorty: is unknown (did you mean priority?)"],
    [
      "orchestration:\n  max_iteration: 3",
      "probe.yaml:5: orchestration.max_iteration: is unknown (did you mean max_iterations?)",
    ],
    [
      "parameters:\n  p: {type: pathh}",
      "probe.yaml:5: parameters.p.type: must be one of string, path, string_list (did you mean path?)",
    ],
  ])("%j", (more, expected) => {
    expect(problemsOf(more)).toEqual([expected]);
  });

  it("with all its problems at once, and its repaired twin is taken", () => {
    expect(problemsOf('capabilities: ["exec:", "nonsense"]\nmodel_ladder: [strong]')).toHaveLength(
      3,
    );
    expect(
      problemsOf('capabilities: ["exec: rg", web_search]\nmodel: strong\nmodel_ladder: [strong]'),
    ).toEqual([]);
  });

  it("where its message names an unknown parameter; braces that are no placeholder stay", () => {
    const text = (template: string): string =>
      `name: p\nsystem_prompt: W\nmessage_template: '${template}'`;
    expect(parseRole(text("{nobody}"), "p.yaml").ok).toBe(false);
    expect(parseRole(text('{"json": {}}'), "p.yaml").ok).toBe(true);
  });
});

describe("loading", () => {
  it("U5 one broken role disables itself alone, with file and line", () => {
    put("vendor", "good.yaml", roleText("good"));
    put("vendor", "bad.yaml", roleText("bad", "budget: {max_usd: -1}"));
    const { roles, problems } = load();
    expect([...roles.keys()]).toEqual(["good"]);
    expect(problems.map(formatProblem)).toEqual([
      `${join(top, "vendor/bad.yaml")}:4: budget.max_usd: must be >0`,
    ]);
  });

  it("the operator's role shadows the vendor's", () => {
    put("vendor", "w.yaml", roleText("writer"));
    put("operator", "mine.yaml", roleText("writer", "priority: 7"));
    const writer = load().roles.get("writer");
    expect(writer?.role.priority).toBe(7);
    expect(writer?.origin).toBe("operator");
  });

  it("a broken operator's role disables the name and does not fall back to the vendor's", () => {
    put("vendor", "writer.yaml", roleText("writer"));
    put("vendor", "reader.yaml", roleText("reader"));
    put("operator", "mine.yaml", roleText("writer", "priority: many"));
    const { roles, problems } = load();
    expect([...roles.keys()]).toEqual(["reader"]);
    expect(problems.map((problem) => problem.message).join("\n")).toContain(
      "'writer' is disabled: this file shadows",
    );
  });

  it("a file that is no YAML at all disables the name it is called by", () => {
    put("vendor", "writer.yaml", roleText("writer"));
    put("operator", "writer.yaml", "system_prompt: [\n");
    expect(load().roles.has("writer")).toBe(false);
  });

  it("two files of one directory with the same name disable it", () => {
    put("vendor", "a.yaml", roleText("twin"));
    put("vendor", "b.yaml", roleText("twin"));
    put("vendor", "c.yaml", roleText("single"));
    const { roles, problems } = load();
    expect([...roles.keys()]).toEqual(["single"]);
    expect(problems).toHaveLength(1);
  });

  it("an absent directory is an empty one, and other files are left alone", () => {
    put("vendor", "README.md", "not a role");
    put("vendor", ".w.yaml.swp.yaml", "not a role");
    rmSync(join(top, "operator"), { recursive: true });
    expect(load()).toEqual({ roles: new Map(), problems: [] });
  });
});

describe("parameters", () => {
  const probe = role(
    'parameters:\n  url: {required: true, description: what to fetch}\n  output: {type: path, required: true, aliases: [workspace]}\n  inputs: {type: string_list}\n  title: {}\ncapabilities: ["file_read: {inputs.*}"]',
  );

  it("all problems are told at once", () => {
    expect(resolveParams(probe, { output: "out.md", titl: "x", inputs: [1] })).toEqual({
      ok: false,
      problems: [
        "probe has no parameter 'titl'; did you mean title?",
        "'url' is missing (what to fetch)",
        "'output' must be an absolute path: 'out.md' is not absolute: it must begin with '/'",
        "'inputs' must be a list of texts",
      ],
    });
  });

  it("are taken: aliases, a single text for a list, a path in its one form, unset ones empty", () => {
    expect(
      resolveParams(probe, { url: "u", workspace: "/a//b/./c.md ", inputs: "/x", title: null }),
    ).toEqual({
      ok: true,
      params: { url: "u", output: "/a/b/c.md", inputs: ["/x"], title: "" },
    });
  });

  it("a path that climbs out is refused, its literal star is kept", () => {
    expect(resolveParams(probe, { url: "u", output: "/data/../etc/x" }).ok).toBe(false);
    expect(resolveParams(probe, { url: "u", output: "/data/*" })).toMatchObject({
      params: { output: "/data/*" },
    });
  });

  it("a name and its alias must agree", () => {
    expect(resolveParams(probe, { url: "u", output: "/a", workspace: "/b" }).ok).toBe(false);
    expect(resolveParams(probe, { url: "u", output: "/a", workspace: "/a" }).ok).toBe(true);
  });

  it("names of Object's own are no parameters", () => {
    expect(resolveParams(probe, { url: "u", output: "/a", constructor: "x" }).ok).toBe(false);
  });
});
