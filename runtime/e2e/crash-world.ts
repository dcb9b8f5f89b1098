import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Json } from "../protocol/json.js";
import { type ScriptedModel, startScriptedModel } from "../test/scripted-model.js";
import type { ScriptedRequest, ScriptedRule, ScriptedTurn } from "../test/scripted-script.js";
import { article, type PageServer, startPages } from "./page-server.js";
import { goalOf, PLANNER } from "./scripted-team.js";
import { makeWorld, useModel, type World } from "./world.js";

/** A machine whose runs leave marks outside: pages that were asked for, lines in files, programs that ran. */
export interface CrashWorld extends AsyncDisposable {
  readonly world: World;
  readonly pages: PageServer;
  /** The lines of a run's marks, sorted: one for each effect that must happen once. */
  readonly marks: (run: string) => readonly string[];
  readonly document: (run: string) => string;
  readonly goal: (name: string) => string;
}

/** Steps of one run whose effects a second time would show. */
export const MARKS = ["note-1", "note-2", "run-1", "run-2", "run-3"] as const;

const RUNNER = /^Runs one program/;
const NOTER = /^Notes one line/;
const COLLECTOR = /^Collects the files/;

/** Nine steps: three pages, three programs after them, two notes, one document. */
function planOf(dir: string, name: string, pages: PageServer): string {
  const marks = `${dir}/${name}.marks`;
  const page = (n: number) => `${dir}/${name}-page-${n}.md`;
  const note = (n: number) => `${dir}/${name}-note-${n}.md`;
  const three = [1, 2, 3];
  return JSON.stringify({
    steps: [
      ...three.map((n) => ({
        id: `fetch-${n}`,
        role: "fetcher",
        params: { url: pages.url(`/${name}/${n}`), output: page(n) },
      })),
      ...three.map((n) => ({
        id: `run-${n}`,
        role: "runner",
        params: { mark: `run-${n}`, marks },
        depends_on: [`fetch-${n}`],
      })),
      ...[1, 2].map((n) => ({
        id: `note-${n}`,
        role: "noter",
        params: { mark: `note-${n}`, marks, output: note(n) },
        depends_on: [`run-${n}`],
      })),
      {
        id: "collect",
        role: "collector",
        params: { inputs: [...three.map(page), ...[1, 2].map(note)], output: `${dir}/${name}.md` },
        depends_on: ["run-3", "note-1", "note-2"],
      },
    ],
    final_output: `${dir}/${name}.md`,
  });
}

const ROLES = (dir: string): Readonly<Record<string, string>> => ({
  runner: `name: runner
system_prompt: Runs one program.
message_template: "Mark {mark} in {marks}"
parameters: {mark: {type: string, required: true}, marks: {type: path, required: true}}
capabilities: ["exec: sh", "exec: sleep", "file_read: ${dir}/*", "file_write: ${dir}/*"]
`,
  noter: `name: noter
system_prompt: Notes one line.
message_template: "Mark {mark} in {marks}\\nThen write {output}"
parameters: {mark: {type: string, required: true}, marks: {type: path, required: true}, output: {type: path, required: true}}
capabilities: ["file_read: ${dir}/*", "file_write: ${dir}/*", "file_write: {output}"]
require_declared_output: true
`,
  collector: `name: collector
system_prompt: Collects the files.
message_template: "Files: {inputs}\\nThen write {output}"
parameters: {inputs: {type: string_list, required: true}, output: {type: path, required: true}}
capabilities: ["file_read: {inputs.*}", "file_write: {output}"]
require_declared_output: true
`,
});

/** One effect that must not happen twice: done, and where its outcome is unknown looked up before it is done again. */
function markOnce(request: ScriptedRequest, act: ScriptedTurn, then: ScriptedTurn): ScriptedTurn {
  const [, mark = "", marks = ""] = /Mark (\S+) in (\S+)/.exec(request.all) ?? [];
  const last = request.tool_results.at(-1);
  if (last === undefined) return act;
  if (last.includes("outcome is unknown"))
    return { tool_calls: [{ name: "file_read", input: { path: marks } }] };
  const looked = /"content":/.test(last) || /not_found/.test(last);
  if (looked && !last.includes(mark)) return act;
  return then;
}

function rules(dir: string, pages: () => PageServer): readonly ScriptedRule[] {
  const markOf = (all: string) => /Mark (\S+) in (\S+)/.exec(all) ?? [];
  return [
    {
      match: { system: PLANNER },
      reply: (request) => planOf(dir, goalOf(request).split(" ").at(-1) ?? "", pages()),
    },
    {
      match: { system: RUNNER },
      reply: (request) => {
        const [, mark = "", marks = ""] = markOf(request.all);
        const args = ["-c", `sleep 0.1; echo ${mark} >> ${marks}; sleep 0.1`];
        const input = { program: "sh", args, cwd: dir };
        return markOnce(request, { tool_calls: [{ name: "exec", input }] }, { text: "It ran." });
      },
    },
    { match: { system: NOTER }, reply: note },
    { match: { system: COLLECTOR }, reply: collect },
  ];
}

/** A line at the end of the marks, once, and then the output, which may be written again. */
function note({ all, tool_results }: ScriptedRequest): ScriptedTurn {
  const [, mark = "", marks = ""] = /Mark (\S+) in (\S+)/.exec(all) ?? [];
  const output = /Then write (\S+)/.exec(all)?.[1] ?? "";
  const write = (input: Readonly<Record<string, Json>>) => ({
    tool_calls: [{ name: "file_write", input }],
  });
  const writes = tool_results.filter((text) => text.includes("bytes_written")).length;
  const isThere = tool_results.some((text) => text.includes('"content":') && text.includes(mark));
  const last = tool_results.at(-1) ?? "";
  if (writes === 0 && !isThere && last.includes("outcome is unknown"))
    return { tool_calls: [{ name: "file_read", input: { path: marks } }] };
  if (writes === 0 && !isThere) return write({ path: marks, content: `${mark}\n`, append: true });
  if (writes < (isThere ? 1 : 2)) return write({ path: output, content: `Noted: ${mark}\n` });
  return { text: output };
}

function collect(request: ScriptedRequest): ScriptedTurn {
  const inputs = (/Files: (.*)/.exec(request.all)?.[1] ?? "").split(",").map((one) => one.trim());
  const path = /Then write (\S+)/.exec(request.all)?.[1] ?? "";
  const results = request.tool_results;
  if (results.length < inputs.length)
    return { tool_calls: inputs.map((input) => ({ name: "file_read", input: { path: input } })) };
  if (results.slice(inputs.length).some((text) => text.includes("bytes_written")))
    return { text: path };
  const texts = results
    .slice(0, inputs.length)
    .map((text) => (JSON.parse(text) as { content?: string }).content ?? text);
  const content = texts.map((text) => text.replace(/^ *\d+\t/gm, "")).join("\n");
  return { tool_calls: [{ name: "file_write", input: { path, content } }] };
}

export async function crashWorld(): Promise<CrashWorld> {
  const world = await makeWorld();
  const dir = world.out;
  const served = await startPages({});
  const page = article("Page", ["The same words each time."]);
  const pages: PageServer = {
    ...served,
    url: (path) => {
      served.set(path, { body: page, delayMs: 50 });
      return served.url(path);
    },
  };
  const model: ScriptedModel = await startScriptedModel({ rules: rules(dir, () => pages) });
  useModel(world, "openai", model.openai_url);
  world.put(
    "etc/aaos/policy.yaml",
    `${world.read("etc/aaos/policy.yaml")}exec: {allow: [sh, sleep]}\n`,
  );
  for (const [name, text] of Object.entries(ROLES(dir)))
    world.put(`etc/aaos/roles/${name}.yaml`, text);
  return {
    world,
    pages,
    goal: (name) => `Carry out goal ${name}`,
    marks: (name) => {
      const file = join(dir, `${name}.marks`);
      const lines = readFileSync(file, "utf8").trim().split("\n").sort();
      rmSync(file);
      return lines;
    },
    document: (name) => readFileSync(join(dir, `${name}.md`), "utf8"),
    [Symbol.asyncDispose]: async () => {
      await world[Symbol.asyncDispose]();
      await pages.close();
      await model.close();
    },
  };
}
