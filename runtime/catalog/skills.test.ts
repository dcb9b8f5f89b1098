import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { allowsTool, splitAllowedTools } from "./allowed-tools.js";
import { loadSkills, parseSkill } from "./skills.js";

let base = "";
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), "aaos-skills-"));
});
afterEach(() => {
  rmSync(base, { recursive: true, force: true });
});

function put(path: string, text: string): void {
  const file = join(base, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}

function skillMd(name: string, more = "", body = "# How\n\nDo it.\n"): string {
  return `---\nname: ${name}\ndescription: Does ${name}.\n${more}---\n\n${body}`;
}

function parse(name: string) {
  return parseSkill({ dir: join(base, name), origin: "operator" });
}

function problemsOf(name: string): readonly string[] {
  const parsed = parse(name);
  return parsed.ok
    ? []
    : parsed.problems.map(({ line, field, message }) => `${line} ${field} ${message}`);
}

describe("A16 a skill", () => {
  it("is its frontmatter, its instructions and its files", () => {
    put(
      "triage/SKILL.md",
      skillMd(
        "triage",
        "license: MIT\nmetadata: {author: us}\nallowed-tools: grep Read exec(jq)\n",
      ),
    );
    put("triage/references/PATTERNS.md", "x");
    put("triage/scripts/count.py", "x");
    put("triage/.hidden", "x");
    expect(parse("triage")).toMatchObject({
      ok: true,
      advice: [],
      skill: {
        name: "triage",
        description: "Does triage.",
        license: "MIT",
        metadata: { author: "us" },
        allowed_tools: ["grep", "file_read", "file_read_many", "file_list", "exec(jq)"],
        files: ["references/PATTERNS.md", "scripts/count.py"],
        instructions: "# How\n\nDo it.\n",
      },
    });
  });

  it.each([
    [
      "a name with capitals",
      "Bad",
      "---\nname: Bad\ndescription: x\n---\nb\n",
      /^2 name takes lower-case/,
    ],
    [
      "two hyphens",
      "a--b",
      "---\nname: a--b\ndescription: x\n---\nb\n",
      /^2 name takes lower-case/,
    ],
    ["a hyphen at its end", "a-", "---\nname: a-\ndescription: x\n---\nb\n", /^2 name takes/],
    [
      "another name than its folder",
      "one",
      skillMd("two"),
      /^2 name is not the name of its folder/,
    ],
    ["no description", "one", "---\nname: one\n---\nb\n", /description is missing/],
    [
      "an empty description",
      "one",
      "---\nname: one\ndescription: ' '\n---\nb\n",
      /^3 description must not be empty/,
    ],
    [
      "a description that is too long",
      "one",
      `---\nname: one\ndescription: ${"x".repeat(1_025)}\n---\nb\n`,
      /^3 description is longer/,
    ],
    ["an unknown field", "one", skillMd("one", "version: 2\n"), /^4 version is unknown/],
    [
      "metadata that are no text",
      "one",
      skillMd("one", "metadata: {a: 1}\n"),
      /^4 metadata.a must be a string/,
    ],
    [
      "a tool that is none",
      "one",
      skillMd("one", "allowed-tools: 'grep, file_read'\n"),
      /^4 allowed-tools "grep," is no tool/,
    ],
    ["no frontmatter", "one", "# One\n", /^1 {2}does not begin with frontmatter/],
    ["frontmatter without end", "one", "---\nname: one\n", /^1 {2}has no end/],
    [
      "no instructions",
      "one",
      "---\nname: one\ndescription: x\n---\n\n",
      /^1 {2}has no instructions/,
    ],
    ["YAML that is none", "one", "---\nname: one\ndescription: [\n---\nb\n", /^[34] /],
  ])("with %s is refused, with its line", (_, name, text, expected) => {
    put(`${name}/SKILL.md`, text);
    expect(problemsOf(name).join("\n")).toMatch(expected);
  });

  it("that holds a link is refused: it could lead anywhere", () => {
    put("one/SKILL.md", skillMd("one"));
    symlinkSync("/etc/passwd", join(base, "one/passwd"));
    expect(problemsOf("one").join()).toContain("holds a link, passwd");
  });

  it("gets advice where it is long or refers to what is not there", () => {
    put(
      "one/SKILL.md",
      skillMd("one", "", `See [that](references/GONE.md).\n${"line\n".repeat(600)}`),
    );
    const parsed = parse("one");
    const told = parsed.ok ? parsed.advice.map(({ message }) => message) : [];
    expect(told[0]).toContain("lines and about");
    expect(told[1]).toContain("references/GONE.md, which is not there");
  });
});

describe("A16 directories", () => {
  const load = () =>
    loadSkills([
      { dir: join(base, "vendor"), origin: "vendor" },
      { dir: join(base, "operator"), origin: "operator" },
      { dir: join(base, "added"), origin: "added" },
    ]);

  it("later ones shadow earlier ones; a broken one disables its own name and no other", () => {
    for (const name of ["a", "b", "c"]) put(`vendor/${name}/SKILL.md`, skillMd(name));
    put("operator/b/SKILL.md", skillMd("b"));
    put("added/c/SKILL.md", "broken");
    put("vendor/.git/SKILL.md", "x");
    put("vendor/node_modules/SKILL.md", "x");
    put("vendor/README.md", "x");
    const { skills, problems } = load();
    expect([...skills].map(([name, { origin }]) => [name, origin])).toEqual([
      ["a", "vendor"],
      ["b", "operator"],
    ]);
    expect(problems.map(({ file }) => file)).toEqual([join(base, "added/c/SKILL.md")]);
  });

  it("that are absent are empty", () => {
    expect(load()).toEqual({ skills: new Map(), problems: [] });
  });
});

describe("allowed-tools", () => {
  it("are names with spaces between them, or a list; other agents' names are understood", () => {
    const tools = (value: string | string[]) => {
      const split = splitAllowedTools(value);
      return split.ok ? split.tools : split.problem;
    };
    expect(tools("Bash(git:log *) Bash mcp.files.* ")).toEqual([
      "exec(git:log *)",
      "exec",
      "mcp.files.*",
    ]);
    expect(tools(["Read", "WebFetch"])).toEqual([
      "file_read",
      "file_read_many",
      "file_list",
      "web_fetch",
    ]);
    expect(tools("a;b")).toContain("is no tool");
  });

  it.each([
    [["grep"], "grep", {}, true],
    [["grep"], "file_write", {}, false],
    [["mcp.files.*"], "mcp.files.read", {}, true],
    [["mcp.files.*"], "mcp.filesystem.read", {}, false],
    [["exec(git:log *)"], "exec", { program: "git", args: ["log", "-1"] }, true],
    [["exec(git:log *)"], "exec", { program: "git", args: ["push"] }, false],
    [["exec(git)"], "exec", { program: "git", args: [] }, true],
    [["exec(git)"], "exec", { program: "sh", args: ["-c", "git"] }, false],
    [["exec(git)"], "exec", null, false],
    [[], "grep", {}, false],
  ])("%j and a call of %s with %j: %s", (tools, tool, input, allowed) => {
    expect(allowsTool(tools, tool, input)).toBe(allowed);
  });
});
