import type { Json } from "../protocol/json.js";

/** Deeper than any input or plan; whatever walks a value recursively is safe below it. */
const MAX_DEPTH = 64;

/**
 * JSON as a model wrote it, fit to be hashed, stored and sent back: at most 64 levels deep, every number finite, and half a
 * surrogate pair, which has no UTF-8, replaced. Undefined for anything else.
 */
export function parseModelJson(text: string): Json | undefined {
  try {
    return sound(JSON.parse(text) as Json, 0);
  } catch {
    return undefined;
  }
}

/** Throws where the value is not fit. */
function sound(value: Json, depth: number): Json {
  if (typeof value === "string") return wellFormed(value);
  if (typeof value === "number" && !Number.isFinite(value)) throw new RangeError("too large");
  if (typeof value !== "object" || value === null) return value;
  if (depth === MAX_DEPTH) throw new RangeError("nested too deeply");
  if (Array.isArray(value)) return value.map((item) => sound(item, depth + 1));
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [wellFormed(key), sound(item, depth + 1)]),
  );
}

function wellFormed(text: string): string {
  return text.replace(/\p{Surrogate}/gu, "\uFFFD");
}
