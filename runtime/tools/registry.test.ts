import { expect, it } from "vitest";
import { TOOL_NAMES } from "../protocol/tool-names.js";
import { BUILTIN_TOOLS, toolSpec } from "./registry.js";

it("the tools come in one order, by name, each once", () => {
  const names = BUILTIN_TOOLS.map(({ name }) => name);
  expect(names).toEqual([...new Set(names)].sort());
  expect(names).toEqual([
    "cargo_run",
    "echo",
    "exec",
    "file_edit",
    "file_list",
    "file_read",
    "file_read_many",
    "file_write",
    "git_commit",
    "grep",
    "memory_delete",
    "memory_query",
    "memory_store",
    "send_and_wait",
    "send_message",
    "skill_read",
    "spawn_agent",
    "spawn_agents",
    "web_fetch",
  ]);
});

it("A12 arguments have the names of the contract", () => {
  const args = Object.fromEntries(
    BUILTIN_TOOLS.map((tool) => {
      const schema = toolSpec(tool).input_schema as { properties: Record<string, unknown> };
      return [tool.name, Object.keys(schema.properties)];
    }),
  );
  expect(args).toMatchObject({
    echo: ["message"],
    file_read: ["path", "offset", "limit"],
    file_list: ["path"],
    file_read_many: ["paths"],
    file_write: ["path", "content", "append"],
    file_edit: ["path", "old_string", "new_string", "replace_all"],
    grep: ["pattern", "path", "glob", "case_insensitive"],
    cargo_run: ["workspace", "subcommand", "args"],
    git_commit: ["workspace", "message", "paths"],
    exec: ["program", "args", "cwd", "stdin", "timeout_s"],
    spawn_agent: ["manifest", "message", "prior_findings"],
    spawn_agents: ["children"],
  });
  expect(args["web_fetch"]).toEqual(expect.arrayContaining(["url", "max_bytes"]));
});

it("a model sees which arguments it may leave out, and that there are no others", () => {
  const read = BUILTIN_TOOLS.find(({ name }) => name === "file_read");
  expect(read && toolSpec(read).input_schema).toMatchObject({
    type: "object",
    required: ["path"],
    additionalProperties: false,
    properties: { offset: { type: "integer", default: 1 }, limit: { default: 2_000 } },
  });
});

it("every tool is known by name to the files that may grant it", () => {
  expect(TOOL_NAMES).toEqual(expect.arrayContaining(BUILTIN_TOOLS.map(({ name }) => name)));
});
