import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { startScriptedModel } from "../test/scripted-model.js";
import type { ScriptedRequest, ScriptedTurn } from "../test/scripted-script.js";
import { makeWorld, useModel, type World } from "./world.js";

const CHECKOUT = fileURLToPath(new URL("../../", import.meta.url)).replace(/\/$/, "");
const BUILDER = /^Carries out a written plan of changes/;

/** Five edits of a room and its unit tests: `[file, old, new]`, as the plan states them. */
const EDITS: readonly (readonly [file: string, before: string, after: string])[] = [
  [
    "runtime/base/duration.ts",
    "const UNIT_MS: Readonly<Record<string, number>> = {\n  ms: 1,",
    "const UNIT_MS: Readonly<Record<string, number>> = {\n  ms: 1,\n  w: 604_800_000,",
  ],
  ["runtime/base/duration.ts", "(ms|min|[smhd]))+$/", "(ms|min|[smhdw]))+$/"],
  ["runtime/base/duration.ts", "(ms|min|[smhd])/g", "(ms|min|[smhdw])/g"],
  ["runtime/base/duration.ts", "`250ms`, `7d`;", "`250ms`, `7d`, `2w`;"],
  [
    "runtime/base/duration.test.ts",
    '  ["365d", 31_536_000_000],',
    '  ["365d", 31_536_000_000],\n  ["2w", 1_209_600_000],',
  ],
];
const MESSAGE = "base: a duration may be weeks\n\nAsked for by the plan.";

const open: (() => Promise<void>)[] = [];
afterAll(async () => {
  for (const close of open.reverse()) await close();
});

function git(dir: string, ...args: string[]): string {
  return execFileSync("git", ["-C", dir, ...args], { encoding: "utf8", maxBuffer: 1 << 26 });
}

/** A clone of this very repository with what its tests need: modules and the compiled program. */
function cloneOfThis(into: string): void {
  execFileSync("git", [
    "clone",
    "-q",
    "--no-hardlinks",
    "--depth",
    "1",
    `file://${CHECKOUT}`,
    into,
  ]);
  execFileSync("cp", ["-al", join(CHECKOUT, "node_modules"), join(into, "node_modules")]);
  cpSync(join(CHECKOUT, "dist"), join(into, "dist"), { recursive: true });
}

/** The plan carried out as a good model would: read, edit, test, commit, report. */
function build(tree: string, plan: string, report: string) {
  const call = (name: string, input: object) => ({ name, input: input as never });
  return (request: ScriptedRequest): ScriptedTurn => {
    const results = request.tool_results;
    if (results.length === 0) return { tool_calls: [call("file_read", { path: plan })] };
    if (results.length === 1) {
      return {
        tool_calls: EDITS.map(([file, old_string, new_string]) =>
          call("file_edit", { path: join(tree, file), old_string, new_string }),
        ),
      };
    }
    if (results.length === 6) {
      const args = ["run", "test:some", "--", "dist/base/", "dist/protocol/"];
      return { tool_calls: [call("exec", { program: "npm", args, cwd: tree, timeout_s: 600 })] };
    }
    if (results.length === 7) {
      const paths = ["runtime/base/duration.ts", "runtime/base/duration.test.ts"];
      return { tool_calls: [call("git_commit", { workspace: tree, message: MESSAGE, paths })] };
    }
    if (results.length === 8) {
      const content = `# Report\n\n${results[6]}\n\n${results[7]}\n`;
      return { tool_calls: [call("file_write", { path: report, content })] };
    }
    return { text: report };
  };
}

async function world(): Promise<World> {
  const opened = await makeWorld(
    (out) =>
      `write: {allow: [${out}]}\nread: {allow: [${out}]}\nexec: {allow: [git, npm, node, make]}\n`,
  );
  open.push(async () => opened[Symbol.asyncDispose]());
  return opened;
}

describe("self-build", () => {
  it("an agent applies a five-edit plan to a clone of this repository, tests it confined, and commits: the diff is the expected one, byte for byte", async () => {
    const w = await world();
    const [tree, expected] = [join(w.out, "tree"), join(w.out, "expected")];
    const [plan, report] = [join(w.out, "plan.md"), join(w.out, "report.md")];
    mkdirSync(w.out, { recursive: true });
    cloneOfThis(tree);
    execFileSync("git", ["clone", "-q", `file://${tree}`, expected]);
    for (const [file, before, after] of EDITS) {
      const text = readFileSync(join(expected, file), "utf8");
      expect(text.split(before), `${file}: ${before}`).toHaveLength(2);
      writeFileSync(
        join(expected, file),
        text.replace(before, () => after),
      );
    }
    const steps = EDITS.map(
      ([file, a, b], i) => `${i + 1}. In ${file} replace\n\n${a}\n\nby\n\n${b}\n`,
    );
    writeFileSync(plan, `# Plan\n\n${steps.join("\n")}`);
    const model = await startScriptedModel({
      rules: [{ match: { system: BUILDER }, reply: build(tree, plan, report) }],
    });
    open.push(() => model.close());
    useModel(w, "openai", model.openai_url);
    await w.start();
    const before = git(tree, "rev-parse", "HEAD").trim();
    const params = [`workspace=${tree}`, `plan=${plan}`, `report=${report}`];
    const ended = await w.cli([
      ...["submit", "--role", "builder"],
      ...params.flatMap((one) => ["--param", one]),
      "carry the plan out",
    ]);
    const told = existsSync(report) ? readFileSync(report, "utf8") : JSON.stringify(ended);
    expect(told).toContain('"exit_code":0');
    expect(told).toContain("dist/base/duration.test.js");
    expect(ended.code, ended.stdout + ended.stderr).toBe(0);
    expect(git(tree, "log", "-1", "--format=%B").trim()).toBe(MESSAGE);
    expect(git(tree, "rev-parse", "HEAD~1").trim()).toBe(before);
    expect(git(tree, "diff", "HEAD~1", "HEAD")).toBe(git(expected, "diff"));
    expect(git(tree, "status", "--short", "--untracked-files=no")).toBe("");
  }, 900_000);
});
