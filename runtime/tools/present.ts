import type { Json, JsonObject } from "../protocol/json.js";
import type { ToolResult } from "../protocol/tool-call.js";

/** Room kept for what is added to a result that is cut. Bytes. */
const NOTE_BYTES = 512;
const MARK = "…[cut]";

/**
 * A tool's result as the model gets it: JSON text of at most `maxBytes`, which is 1024 or more. In one that is too long, the
 * longest texts are cut to one length, then the longest lists; it stays whole JSON and says how to go on.
 */
export function presentResult(
  result: ToolResult,
  maxBytes: number,
): { readonly text: string; readonly is_error: boolean } {
  const value: Json = result.ok ? result.output : { error: { ...result.error } };
  const text = JSON.stringify(value);
  const bytes = Buffer.byteLength(text);
  if (bytes <= maxBytes) return { text, is_error: !result.ok };
  const body = isObject(value) ? value : { result: value };
  const note = `the result had ${bytes} bytes and is cut; ask for less (offset, limit, a narrower path or pattern)`;
  const cut = { ...shrink(body, maxBytes - NOTE_BYTES), _cut: note };
  return { text: JSON.stringify(cut), is_error: !result.ok };
}

/** Two lengths, of texts and of lists, as large as fit. */
function shrink(body: JsonObject, maxBytes: number): JsonObject {
  const whole = { maxText: maxBytes, maxList: maxBytes };
  const maxText = largest(maxBytes, (length) =>
    fits(body, { ...whole, maxText: length }, maxBytes),
  );
  if (maxText >= MARK.length) return shortenObject(body, { ...whole, maxText });
  const maxList = largest(maxBytes, (count) =>
    fits(body, { maxText: 64, maxList: count }, maxBytes),
  );
  return maxList >= 0 ? shortenObject(body, { maxText: 64, maxList }) : {};
}

interface Lengths {
  readonly maxText: number;
  readonly maxList: number;
}

function fits(body: JsonObject, lengths: Lengths, maxBytes: number): boolean {
  return Buffer.byteLength(JSON.stringify(shortenObject(body, lengths))) <= maxBytes;
}

/** The largest number up to `most` that is good, where all below a good one are; -1 for none. */
function largest(most: number, isGood: (n: number) => boolean): number {
  let low = -1;
  let high = most;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (isGood(middle)) low = middle;
    else high = middle - 1;
  }
  return low;
}

function shorten(value: Json, lengths: Lengths): Json {
  if (typeof value === "string") return cutText(value, lengths.maxText);
  if (Array.isArray(value)) {
    return value.slice(0, lengths.maxList).map((item) => shorten(item, lengths));
  }
  return isObject(value) ? shortenObject(value, lengths) : value;
}

function shortenObject(value: JsonObject, lengths: Lengths): JsonObject {
  const short: JsonObject = {};
  for (const [key, item] of Object.entries(value)) short[key] = shorten(item, lengths);
  const { content, offset, returned_lines } = value;
  if (
    typeof content === "string" &&
    typeof offset === "number" &&
    typeof returned_lines === "number"
  ) {
    return content.length > lengths.maxText
      ? cutLines(short, content, offset, lengths.maxText)
      : short;
  }
  if (typeof value["truncated"] === "boolean") {
    short["truncated"] = value["truncated"] || JSON.stringify(short) !== JSON.stringify(value);
  }
  return short;
}

/** Numbered lines are cut between two of them, and the numbers beside them say where to go on. */
function cutLines(short: JsonObject, content: string, offset: number, maxText: number): JsonObject {
  const end = content.lastIndexOf("\n", maxText);
  if (end <= 0) {
    const hint = `line ${offset} is too long to be shown whole; find parts of it with grep`;
    return {
      ...short,
      content: cutText(content, maxText),
      returned_lines: 1,
      truncated: true,
      hint,
    };
  }
  const kept = content.slice(0, end);
  const lines = kept.split("\n").length;
  const hint = `go on with offset ${offset + lines}`;
  return { ...short, content: kept, returned_lines: lines, truncated: true, hint };
}

function cutText(text: string, maxText: number): string {
  if (text.length <= maxText) return text;
  const kept = text.slice(0, Math.max(0, maxText - MARK.length));
  return kept.replace(/[\ud800-\udbff]$/, "") + MARK;
}

function isObject(value: Json): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
