import { parseModelJson } from "./parse-model-json.js";

/** Brackets that open nothing whole, after which the rest is not looked at: a hostile reply costs no more than this many passes. */
const MAX_FAILURES = 100;

/**
 * The JSON values that a reply may mean, most likely first: the whole text, then each balanced object or array in it. Braces inside
 * strings do not count (A24-5), code fences and thoughts are looked through.
 */
export function jsonCandidates(reply: string): unknown[] {
  const text = reply.replace(/^\s*<think>[\s\S]*?<\/think>/, " ").trim();
  const whole = parseModelJson(text);
  if (whole !== undefined) return [whole];
  const found: { readonly length: number; readonly value: unknown }[] = [];
  let failures = 0;
  for (let at = 0; at < text.length && failures < MAX_FAILURES; at++) {
    if (text[at] !== "{" && text[at] !== "[") continue;
    const end = balancedEnd(text, at);
    const value = end === undefined ? undefined : parseModelJson(text.slice(at, end));
    if (end === undefined || value === undefined) failures++;
    else {
      found.push({ length: end - at, value });
      at = end - 1;
    }
  }
  return found.sort((a, b) => b.length - a.length).map((entry) => entry.value);
}

/** One past the bracket that closes the one at `start`, or undefined where none does. */
function balancedEnd(text: string, start: number): number | undefined {
  let depth = 0;
  for (let at = start; at < text.length; at++) {
    const character = text[at];
    if (character === '"') {
      at = stringEnd(text, at);
      continue;
    }
    if (character === "{" || character === "[") depth++;
    if (character === "}" || character === "]") depth--;
    if (depth === 0) return at + 1;
  }
  return undefined;
}

/** Where the string that begins at `start` ends; the end of the text where it does not. */
function stringEnd(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] === "\\") at++;
    else if (text[at] === '"') return at;
  }
  return text.length;
}
