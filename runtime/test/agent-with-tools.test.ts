import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { runAgent } from "../agent/loop.js";
import type { Json } from "../protocol/json.js";
import type { ModelEvent, ModelStream } from "../protocol/model.js";
import { presentResult } from "../tools/present.js";
import { BUILTIN_TOOLS, toolSpec } from "../tools/registry.js";
import { openTestPlace } from "./tool-context.js";

const usage = { input_tokens: 1, output_tokens: 1, usd: 0 };

/** A model that makes the calls given, one a turn, and then answers with the last result it saw. */
function scripted(calls: readonly (readonly [string, Json])[]): ModelStream {
  let turn = 0;
  return async function* (request): AsyncGenerator<ModelEvent> {
    await Promise.resolve();
    const next = calls[turn++];
    const text = next === undefined ? (request.messages.at(-1)?.text ?? "") : "";
    const tool_calls =
      next === undefined ? [] : [{ id: `c${turn}`, name: next[0], input: next[1] }];
    const end = next === undefined ? "end_turn" : "tool_use";
    yield { type: "reply", message: { role: "assistant", text, tool_calls }, end, usage };
  };
}

it("an agent reads, searches, edits and writes real files through the builtin tools", async () => {
  await using place = await openTestPlace();
  const source = join(place.dir, "notes.txt");
  const report = join(place.dir, "out/report.md");
  await writeFile(source, "alpha\nbeta\ngamma\n");
  const outcome = await runAgent(
    {
      messages: [{ role: "user", text: "report on the notes" }],
      tools: BUILTIN_TOOLS.map(toolSpec),
      read_only_tools: new Set(
        BUILTIN_TOOLS.filter((tool) => tool.read_only).map(({ name }) => name),
      ),
      model: "m",
      provider: "scripted",
      limits: {
        max_iterations: 10,
        max_output_tokens: 100,
        max_total_tokens: 1_000,
        commit_nudges: 1,
        repeat_threshold: 3,
      },
      stream: scripted([
        ["file_read", { path: source }],
        ["grep", { pattern: "^b", path: place.dir }],
        ["file_write", { path: report, content: "# Beta" }],
        ["file_edit", { path: report, old_string: "Beta", new_string: "Report" }],
        ["file_read", { path: report, limit: 0 }],
        ["file_read", { path: report }],
      ]),
      callTool: async ({ name, input }, signal) => {
        const tool = BUILTIN_TOOLS.find((candidate) => candidate.name === name);
        if (!tool) throw new Error(`no tool ${name}`);
        return presentResult(await tool.run(input, { ...place.context, signal }), 16_384);
      },
      emit: () => Promise.resolve(),
      outputsExist: () =>
        readFile(report).then(
          () => true,
          () => false,
        ),
    },
    new AbortController().signal,
  );
  expect(outcome).toMatchObject({ stop_reason: "complete", iterations: 7 });
  expect(JSON.parse(outcome.text)).toMatchObject({ content: "     1\t# Report", total_lines: 1 });
  expect(await readFile(report, "utf8")).toBe("# Report");
});
