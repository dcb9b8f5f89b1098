import { z } from "zod";
import type { Denial } from "../../protocol/access.js";
import type { Json } from "../../protocol/json.js";
import { type ToolError, toolDenied, toolOutput } from "../../protocol/tool-call.js";
import { AbsolutePath } from "../absolute-path.js";
import { defineTool } from "../define-tool.js";
import { fromPort } from "../from-port.js";
import { readLines } from "../read-lines.js";
import type { GrantResult, ToolContext } from "../tool.js";

const MAX_FILES = 16;
const LIMIT = 2_000;

/** Reads several files at once; one that cannot be read is an entry with an error and hinders no other. */
export const fileReadMany = defineTool({
  name: "file_read_many",
  description:
    "Reads up to 16 text files at once, each as file_read does (its first 2000 lines). A file that cannot be read gives an entry " +
    "with `error`; for the rest of a truncated file use file_read with an offset.",
  input: z.strictObject({ paths: z.array(AbsolutePath).min(1).max(MAX_FILES) }),
  read_only: true,
  implied_by: ["file_read"],
  run: async ({ paths }, context) => {
    const grants: { path: string; grant: GrantResult<"file_read"> }[] = [];
    for (const path of paths) {
      grants.push({ path, grant: await context.grant({ kind: "file_read", path }) });
    }
    const denials = grants.flatMap(({ grant }): Denial[] => (grant.ok ? [] : [grant.denial]));
    const files = await Promise.all(grants.map(({ path, grant }) => readOne(path, grant, context)));
    return toolOutput({ files, count: files.length }, denials);
  },
});

async function readOne(
  path: string,
  grant: GrantResult<"file_read">,
  { ports, signal }: ToolContext,
): Promise<Json> {
  if (!grant.ok) return errorEntry(path, toolDenied(grant.denial));
  const window = { offset: 1, limit: LIMIT };
  const lines = await readLines(ports.files, grant.granted, window, signal);
  return lines.ok ? { path, ...lines.value } : errorEntry(path, fromPort(lines));
}

function errorEntry(path: string, result: ReturnType<typeof fromPort>): Json {
  if (result.ok) return { path };
  const error: ToolError = result.error;
  return { path, error: { ...error } };
}
