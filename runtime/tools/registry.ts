import { z } from "zod";
import { JsonObject } from "../protocol/json.js";
import type { ToolSpec } from "../protocol/model.js";
import { cargoRun } from "./builtin/cargo-run.js";
import { echo } from "./builtin/echo.js";
import { exec } from "./builtin/exec.js";
import { fileEdit } from "./builtin/file-edit.js";
import { fileList } from "./builtin/file-list.js";
import { fileRead } from "./builtin/file-read.js";
import { fileReadMany } from "./builtin/file-read-many.js";
import { fileWrite } from "./builtin/file-write.js";
import { gitCommit } from "./builtin/git-commit.js";
import { grep } from "./builtin/grep.js";
import { memoryDelete } from "./builtin/memory-delete.js";
import { memoryQuery } from "./builtin/memory-query.js";
import { memoryStore } from "./builtin/memory-store.js";
import { sendAndWait } from "./builtin/send-and-wait.js";
import { sendMessage } from "./builtin/send-message.js";
import { skillRead } from "./builtin/skill-read.js";
import { spawnAgent } from "./builtin/spawn-agent.js";
import { spawnAgents } from "./builtin/spawn-agents.js";
import { webFetch } from "./builtin/web-fetch.js";
import type { Tool } from "./tool.js";

/** The tools that come with aaOS, by name: the order that models and operators see is always the same. */
export const BUILTIN_TOOLS: readonly Tool[] = [
  cargoRun,
  echo,
  exec,
  fileEdit,
  fileList,
  fileRead,
  fileReadMany,
  fileWrite,
  gitCommit,
  grep,
  memoryDelete,
  memoryQuery,
  memoryStore,
  sendAndWait,
  sendMessage,
  skillRead,
  spawnAgent,
  spawnAgents,
  webFetch,
];

/** A tool as a model sees it. Fields with a default are optional in the schema. */
export function toolSpec(tool: Tool): ToolSpec {
  const { name, description } = tool;
  if (tool.input_schema !== undefined)
    return { name, description, input_schema: tool.input_schema };
  const { $schema: _dialect, ...schema } = z.toJSONSchema(tool.input, { io: "input" });
  return { name, description, input_schema: JsonObject.parse(schema) };
}
