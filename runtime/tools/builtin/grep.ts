import { z } from "zod";
import { oneLine } from "../../base/text.js";
import type { Denial } from "../../protocol/access.js";
import { type ToolResult, toolDenied, toolFailure, toolOutput } from "../../protocol/tool-call.js";
import { AbsolutePath } from "../absolute-path.js";
import { defineTool } from "../define-tool.js";
import { fromPort } from "../from-port.js";
import { timedOut } from "../program-output.js";
import { type Match, parseMatches } from "../ripgrep-json.js";
import type { ToolContext } from "../tool.js";

const MAX_MATCHES = 200;
const MAX_LINE_BYTES = 512;
const MAX_RESULT_BYTES = 16_384;
const TIMEOUT_MS = 30_000;
/** ripgrep tells more than is given on: whole lines, statistics, offsets. */
const MAX_OUTPUT_BYTES = 8_388_608;

/** Searches files with ripgrep. Pattern and path are never read as options. */
export const grep = defineTool({
  name: "grep",
  description:
    "Searches a file, or all files below a directory, for a regular expression (ripgrep syntax; hidden and ignored files are left out). " +
    "`glob` narrows the files (`*.ts`). At most 200 matches and 16 KiB, lines cut at 512 bytes; when `truncated`, narrow the search.",
  input: z.strictObject({
    pattern: z.string().min(1, "must not be empty").max(4_096),
    path: AbsolutePath,
    glob: z.string().min(1).max(1_024).optional(),
    case_insensitive: z.boolean().default(false),
  }),
  read_only: true,
  implied_by: ["file_read"],
  run: async (input, context) => {
    const nul = (["pattern", "glob"] as const).find(
      (field) => input[field]?.includes("\0") === true,
    );
    if (nul !== undefined) {
      return toolFailure("invalid_input", `${nul}: must not hold a NUL character`);
    }
    const place = await context.grant({ kind: "file_read", path: input.path });
    if (!place.ok) return toolDenied(place.denial);
    const options = ["--json", "--no-config", "--no-messages", "--sort=path"];
    if (input.case_insensitive) options.push("--ignore-case");
    if (input.glob !== undefined) options.push(`--glob=${input.glob}`);
    const { path } = place.granted;
    const target = await context.ports.files.list(place.granted, 0, context.signal);
    if (!target.ok) return fromPort(target);
    const call = {
      program: "rg",
      args: [...options, "--", input.pattern, path],
      cwd: "/",
      timeout_ms: TIMEOUT_MS,
      max_output_bytes: MAX_OUTPUT_BYTES,
    };
    const outcome = await context.ports.programs.run(place.granted, call, context.signal);
    if (!outcome.ok) return fromPort(outcome);
    const { exit_code, stdout, stderr, truncated } = outcome.value;
    if (outcome.value.timed_out) return timedOut("grep", { ...outcome.value, stdout: "" });
    // 0: found, 1: nothing found, 2: an error, beside which there may be matches.
    if (exit_code === 2 && stderr !== "") return toolFailure("invalid_input", oneLine(stderr, 500));
    const found = parseMatches(stdout, MAX_LINE_BYTES);
    return present(await bounded(found, path, context), truncated);
  },
});

interface Bounded {
  readonly matches: readonly Match[];
  readonly denials: readonly Denial[];
  readonly full: boolean;
}

/**
 * The matches within the bounds. A directory may hold files that no token grants: each file found is asked for, and what is
 * denied is left out and counted.
 */
async function bounded(
  found: readonly Match[],
  path: string,
  { grant }: ToolContext,
): Promise<Bounded> {
  const verdicts = new Map<string, Denial | undefined>([[path, undefined]]);
  const matches: Match[] = [];
  let bytes = 0;
  const bound = (full: boolean): Bounded => ({
    matches,
    denials: [...verdicts.values()].filter((denial) => denial !== undefined),
    full,
  });
  for (const match of found) {
    if (!verdicts.has(match.path)) {
      const file = await grant({ kind: "file_read", path: match.path });
      verdicts.set(match.path, file.ok ? undefined : file.denial);
    }
    if (verdicts.get(match.path) !== undefined) continue;
    bytes += Buffer.byteLength(JSON.stringify(match));
    if (matches.length === MAX_MATCHES || bytes > MAX_RESULT_BYTES) return bound(true);
    matches.push(match);
  }
  return bound(false);
}

function present({ matches, denials, full }: Bounded, cut: boolean): ToolResult {
  const truncated = full || cut;
  const notes = [
    ...(truncated ? ["there are more matches: narrow the pattern, path or glob"] : []),
    ...(denials.length > 0 ? [`matches in ${denials.length} files not granted are left out`] : []),
  ];
  return toolOutput(
    {
      matches: matches.map((match) => ({ ...match })),
      count: matches.length,
      truncated,
      ...(notes.length > 0 && { hint: notes.join("; ") }),
    },
    denials,
  );
}
