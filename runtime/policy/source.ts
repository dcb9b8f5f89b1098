import { formatDuration, parseDuration } from "../base/duration.js";
import { suggest } from "../base/suggest.js";
import type { CapabilityKind, CapabilitySource, Constraints } from "../protocol/capability.js";

/** How each capability is written; the whole grammar on one screen. */
export const WRITTEN: Readonly<Record<CapabilityKind, string>> = {
  file_read: "file_read: /data/*",
  file_write: "file_write: /output/report.md",
  exec: "exec: git status|diff",
  network: "network: example.com:443",
  web_search: "web_search",
  tool: "tool: web_fetch",
  spawn_child: "spawn_child: [analyzer]",
  cargo_run: "cargo_run: /src/project",
  git_commit: "git_commit: /src/project",
  message_send: "message_send: [writer]",
};
/** Kinds whose value is a list, written with commas or as a YAML list. */
const LISTS: ReadonlySet<CapabilityKind> = new Set(["network", "spawn_child", "message_send"]);
const CONSTRAINTS = ["max_invocations", "rate_limit", "expires_in"] as const;

/** A capability source taken apart, its values still text: syntax where an operator wrote it, templates in a role. */
export interface SourceParts {
  readonly kind: CapabilityKind;
  readonly items: readonly string[];
  readonly constraints: Constraints;
}
export type SplitSource =
  | { readonly ok: true; readonly parts: SourceParts }
  | { readonly ok: false; readonly problem: string };

function refuse(problem: string): { readonly ok: false; readonly problem: string } {
  return { ok: false, problem };
}

/** Splits the string and the map form alike. Nothing is expanded here: what a parameter holds never passes through. */
export function splitSource(source: CapabilitySource): SplitSource {
  if (typeof source === "string") {
    const colon = source.indexOf(":");
    const word = (colon < 0 ? source : source.slice(0, colon)).trim();
    const value = colon < 0 ? undefined : source.slice(colon + 1).trim();
    return withValue(word, value, {});
  }
  return splitMap(source);
}

function splitMap(source: Readonly<Record<string, unknown>>): SplitSource {
  const words = Object.keys(source).filter((key) => !isConstraint(key));
  const [word, second] = words;
  if (word === undefined) return refuse("names no capability");
  if (second !== undefined) {
    const known = words.filter(isKind);
    if (known.length > 1) return refuse(`names two capabilities: ${known.join(" and ")}`);
    const stray = words.find((key) => !isKind(key)) ?? second;
    return refuse(unknownWord(stray, [...Object.keys(WRITTEN), ...CONSTRAINTS]));
  }
  const constraints = parseConstraints(source);
  return constraints.ok ? withValue(word, source[word], constraints.value) : constraints;
}

function withValue(word: string, value: unknown, constraints: Constraints): SplitSource {
  if (!isKind(word)) return refuse(unknownWord(word, Object.keys(WRITTEN)));
  const items = word === "web_search" ? noItems(value) : itemsOf(word, value);
  return items.ok ? { ok: true, parts: { kind: word, items: items.items, constraints } } : items;
}

type Items = { readonly ok: true; readonly items: readonly string[] } | ReturnType<typeof refuse>;

function noItems(value: unknown): Items {
  const isEmpty = value === undefined || value === null || value === true || value === "";
  return isEmpty ? { ok: true, items: [] } : refuse("web_search takes no value");
}

function itemsOf(kind: CapabilityKind, value: unknown): Items {
  const example = `write it as '${WRITTEN[kind]}'`;
  if (typeof value === "string" && value.trim() !== "") {
    return { ok: true, items: LISTS.has(kind) ? splitList(value) : [value.trim()] };
  }
  if (Array.isArray(value) && LISTS.has(kind) && value.length > 0) {
    const texts = value.filter((item): item is string => typeof item === "string");
    if (texts.length < value.length)
      return refuse(`${kind}: a list of texts is needed; ${example}`);
    return { ok: true, items: texts.map((text) => text.trim()) };
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return refuse(`${kind}: put the value in quotes, such as ${kind}: "{output}"`);
  }
  return refuse(`${kind} needs a value; ${example}`);
}

/** Brackets around the whole list are dropped; those of an IPv6 address are not. */
function splitList(value: string): readonly string[] {
  const inner = /^\[([^[\]]*)\]$/.exec(value.trim())?.[1];
  const isAddress = /^[0-9a-f.]*:[0-9a-f.]*:[0-9a-f:.]*$/i.test(inner ?? "");
  const text = inner === undefined || isAddress ? value : inner;
  return text.split(",").map((item) => item.trim());
}

function parseConstraints(
  source: Readonly<Record<string, unknown>>,
): { readonly ok: true; readonly value: Constraints } | ReturnType<typeof refuse> {
  const { max_invocations: max, rate_limit: rate, expires_in: expires } = source;
  const value: { -readonly [K in keyof Constraints]: Constraints[K] } = {};
  if (max !== undefined) {
    if (!isCount(max)) return refuse("max_invocations must be a whole number above 0");
    value.max_invocations = max;
  }
  if (rate !== undefined) {
    const parsed = parseRate(rate);
    if (parsed === undefined)
      return refuse("rate_limit must be COUNT/UNIT, such as 10/min or 5/10s");
    value.rate_limit = parsed;
  }
  if (expires !== undefined) {
    const ms = parseDuration(String(expires));
    if (ms === undefined) return refuse("expires_in must be a duration, such as 90s, 10min or 1h");
    value.expires_in_ms = Math.ceil(ms);
  }
  return { ok: true, value };
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value > 0;
}

function parseRate(value: unknown): { count: number; per_ms: number } | undefined {
  const match =
    typeof value === "string" ? /^(\d+)\s*\/\s*(\d*)([a-z]+)$/.exec(value.trim()) : null;
  if (match === null) return undefined;
  const unit = UNIT_WORDS[match[3] ?? ""] ?? match[3] ?? "";
  const per_ms = parseDuration(`${match[2] === "" ? "1" : match[2]}${unit}`);
  const count = Number(match[1]);
  return per_ms !== undefined && isCount(count) ? { count, per_ms } : undefined;
}

const UNIT_WORDS: Readonly<Record<string, string>> = {
  sec: "s",
  second: "s",
  minute: "min",
  hour: "h",
  day: "d",
};

/** `, max_invocations: 3, rate_limit: 10/min, expires_in: 1h`: the constraints that are set, as they are written. */
export function formatConstraints(constraints: Constraints): string {
  const { max_invocations: max, rate_limit: rate, expires_in_ms: expires } = constraints;
  return [
    max === undefined ? "" : `, max_invocations: ${max}`,
    rate === undefined ? "" : `, rate_limit: ${rate.count}/${exactDuration(rate.per_ms, "")}`,
    expires === undefined ? "" : `, expires_in: ${exactDuration(expires, "1")}`,
  ].join("");
}

/** The duration in its largest unit that divides it; `one` is written before a single unit. */
function exactDuration(ms: number, one: string): string {
  for (const [unit, unitMs] of UNITS) {
    if (ms % unitMs === 0) return `${ms === unitMs ? one : ms / unitMs}${unit}`;
  }
  return formatDuration(ms);
}

const UNITS = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["min", 60_000],
  ["s", 1_000],
  ["ms", 1],
] as const;

function isKind(word: string): word is CapabilityKind {
  return Object.hasOwn(WRITTEN, word);
}

function isConstraint(word: string): boolean {
  return CONSTRAINTS.some((constraint) => constraint === word);
}

function unknownWord(word: string, known: readonly string[]): string {
  const near = suggest(word, known);
  const help = near === undefined ? `known are ${known.join(", ")}` : `did you mean ${near}?`;
  return `unknown capability '${word.slice(0, 80)}'; ${help}`;
}
