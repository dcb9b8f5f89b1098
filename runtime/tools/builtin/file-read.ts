import { z } from "zod";
import { toolDenied, toolOutput } from "../../protocol/tool-call.js";
import { AbsolutePath } from "../absolute-path.js";
import { defineTool } from "../define-tool.js";
import { fromPort } from "../from-port.js";
import { type Lines, readLines } from "../read-lines.js";

const DEFAULT_LIMIT = 2_000;

/** Reads lines of one text file, numbered, and says how to go on where there are more. */
export const fileRead = defineTool({
  name: "file_read",
  description:
    "Reads a text file. Lines are numbered (number, tab, text); the numbers are no part of the file. Gives at most `limit` " +
    "lines (2000) from line `offset` (1) and at most 1 MiB; when `truncated` is true, call again with the offset that `hint` names.",
  input: z.strictObject({
    path: AbsolutePath,
    offset: z.int().min(1).default(1),
    limit: z.int().min(1).max(100_000).default(DEFAULT_LIMIT),
  }),
  read_only: true,
  implied_by: ["file_read"],
  run: async ({ path, offset, limit }, { ports, grant, signal }) => {
    const file = await grant({ kind: "file_read", path });
    if (!file.ok) return toolDenied(file.denial);
    const lines = await readLines(ports.files, file.granted, { offset, limit }, signal);
    if (!lines.ok) return fromPort(lines);
    const hint = hintFor(lines.value);
    return toolOutput(hint === undefined ? { ...lines.value } : { ...lines.value, hint });
  },
});

function hintFor(lines: Lines): string | undefined {
  const next = lines.offset + lines.returned_lines;
  if (lines.returned_lines === 0 && lines.total_lines > 0) {
    return `the file has ${lines.total_lines} lines; offset ${lines.offset} is past its end`;
  }
  if (!lines.truncated) return undefined;
  if (next <= lines.total_lines) return `go on with offset ${next} of ${lines.total_lines} lines`;
  return "the last line is cut at 1 MiB; find parts of it with grep";
}
