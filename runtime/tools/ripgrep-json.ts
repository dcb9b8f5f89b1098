import { z } from "zod";
import { clipBytes } from "../base/text.js";

/** A line that was found. */
export interface Match {
  readonly path: string;
  readonly line_number: number;
  readonly line: string;
}

/** A line of `rg --json` that tells a match; a name or text that is no UTF-8 comes as `bytes`. Source: docs of grep-printer. */
const MatchLine = z.object({
  type: z.literal("match"),
  data: z.object({
    path: z.object({ text: z.string() }),
    line_number: z.int(),
    lines: z.union([z.object({ text: z.string() }), z.object({ bytes: z.base64() })]),
  }),
});

/**
 * The matches in the output of `rg --json`, in its order, each line at most `maxLineBytes` long. Lines that tell something else
 * are passed over, and so are broken ones, files whose name is no UTF-8 among them: no token could name those.
 */
export function parseMatches(output: string, maxLineBytes: number): readonly Match[] {
  const matches: Match[] = [];
  for (const text of output.split("\n")) {
    const parsed = MatchLine.safeParse(parseJson(text));
    if (!parsed.success) continue;
    const { path, line_number, lines } = parsed.data.data;
    const line = "text" in lines ? lines.text : Buffer.from(lines.bytes, "base64").toString("utf8");
    const bare = line.replace(/\r?\n$/, "");
    matches.push({ path: path.text, line_number, line: clipBytes(bare, maxLineBytes) });
  }
  return matches;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
