import type { CapabilityKind, CapabilitySource, Grant } from "../protocol/capability.js";
import { buildCapability } from "./build-capability.js";
import { escapeGlob } from "./glob-syntax.js";
import { type SourceParts, splitSource } from "./source.js";

/** What a role's parameters hold. An absent name, an empty text and an empty list are all unset. */
export type Params = Readonly<Record<string, string | readonly string[]>>;

const PLACEHOLDER = /\{([a-z][a-z0-9_]*)(\.\*)?\}/g;

/**
 * A role's capabilities with its parameters filled in, once and as data: a value can become a part of one path, one host or one
 * name, and never a star, a list, a second capability or a further placeholder. `{p.*}` makes one grant an element of a list; a
 * template that names an unset parameter grants nothing. Each value that cannot be used is a problem and grants nothing.
 */
export function expandGrants(
  sources: readonly CapabilitySource[],
  params: Params,
): { readonly grants: readonly Grant[]; readonly problems: readonly string[] } {
  const grants: Grant[] = [];
  const problems: string[] = [];
  for (const source of sources) {
    const split = splitSource(source);
    const expanded = split.ok ? expandParts(split.parts, params) : [split];
    for (const one of expanded) {
      if (one.ok) grants.push(one.grant);
      else problems.push(`${describe(source)}: ${one.problem}`);
    }
  }
  return { grants, problems };
}

type Expanded =
  | { readonly ok: true; readonly grant: Grant }
  | { readonly ok: false; readonly problem: string };

function expandParts(parts: SourceParts, params: Params): readonly Expanded[] {
  const placeholders = findPlaceholders(parts.items);
  const list = placeholders.find((one) => one.isEach);
  const values: Record<string, string> = {};
  for (const { name, isEach } of placeholders) {
    const value = Object.hasOwn(params, name) ? (params[name] ?? "") : "";
    if (value.length === 0) return [];
    if (isEach) continue;
    if (typeof value !== "string") {
      return [{ ok: false, problem: `'${name}' is a list: write {${name}.*}` }];
    }
    values[name] = value;
  }
  if (list === undefined) return [fill(parts, values)];
  if (placeholders.some((one) => one.isEach && one.name !== list.name)) {
    return [{ ok: false, problem: "only one list may be expanded in a capability" }];
  }
  const elements = params[list.name] ?? [];
  return (typeof elements === "string" ? [elements] : elements).map((element) =>
    fill(parts, { ...values, [`${list.name}.*`]: element }),
  );
}

/** `values` by the text between the braces. */
function fill(parts: SourceParts, values: Readonly<Record<string, string>>): Expanded {
  const items: string[] = [];
  for (const item of parts.items) {
    const filled = fillItem(parts.kind, item, values);
    if (!filled.ok) return filled;
    items.push(filled.text);
  }
  const built = buildCapability(parts.kind, items);
  if (!built.ok) return built;
  return { ok: true, grant: { capability: built.capability, constraints: parts.constraints } };
}

type FilledItem =
  | { readonly ok: true; readonly text: string }
  | { readonly ok: false; readonly problem: string };

function fillItem(
  kind: CapabilityKind,
  item: string,
  values: Readonly<Record<string, string>>,
): FilledItem {
  const isAlone = /^\{[^{}]*\}$/.test(item);
  let problem: string | undefined;
  const text = item.replace(PLACEHOLDER, (_whole, name: string, each: string | undefined) => {
    const value = values[`${name}${each ?? ""}`] ?? "";
    const data = asData(kind, value, isAlone);
    if (data !== undefined) return data;
    problem = `the value of '${name}' cannot stand there: ${JSON.stringify(value.slice(0, 200))}`;
    return "";
  });
  return problem === undefined ? { ok: true, text } : { ok: false, problem };
}

/** The value in the language of the kind, meaning nothing but itself; undefined where it could mean more. */
function asData(kind: CapabilityKind, value: string, isAlone: boolean): string | undefined {
  switch (kind) {
    case "file_read":
    case "file_write":
      return value === "" ? undefined : escapeGlob(value);
    case "cargo_run":
    case "git_commit":
      return value === "" || /[*\\]/.test(value) ? undefined : value;
    case "network":
      if (isAlone) return hasWildHost(value) ? undefined : value;
      return /^[^\s*,/@?#\\%:[\]{}]+$/.test(value) ? value : undefined;
    case "exec":
    case "tool":
    case "spawn_child":
    case "message_send":
      return /^[A-Za-z0-9][A-Za-z0-9_.-]*$/.test(value) ? value : undefined;
    case "web_search":
      return undefined;
  }
}

/** A star in the path of a URL is of no meaning; anywhere else it would be a wildcard. */
function hasWildHost(value: string): boolean {
  return value === "" || (value.includes("*") && !/^https?:\/\/[^*/?#\\]+[/?#]/i.test(value));
}

interface Placeholder {
  readonly name: string;
  /** Written `{name.*}`. */
  readonly isEach: boolean;
}

function findPlaceholders(items: readonly string[]): readonly Placeholder[] {
  return items.flatMap((item) =>
    [...item.matchAll(PLACEHOLDER)].map(([, name = "", each]) => ({
      name,
      isEach: each !== undefined,
    })),
  );
}

export type CheckedTemplate =
  | {
      readonly ok: true;
      readonly kind: CapabilityKind;
      readonly placeholders: readonly Placeholder[];
    }
  | { readonly ok: false; readonly problem: string };

/** Would the capability template parse with fitting values? Told when a role is loaded, not when it is first used. */
export function checkTemplate(source: CapabilitySource): CheckedTemplate {
  const split = splitSource(source);
  if (!split.ok) return split;
  const { kind, items } = split.parts;
  const rest = items.map((item) => item.replace(PLACEHOLDER, "")).join("");
  if (/[{}]/.test(rest)) {
    return { ok: false, problem: "a placeholder is written {name} or {name.*}, in lower case" };
  }
  const placeholders = findPlaceholders(items);
  const lists = new Set(placeholders.filter((one) => one.isEach).map((one) => one.name));
  if (lists.size > 1) {
    return { ok: false, problem: "only one list may be expanded in a capability" };
  }
  const built = buildCapability(
    kind,
    items.map((item) => sample(kind, item)),
  );
  return built.ok ? { ok: true, kind, placeholders } : built;
}

/** The template with values of the right sort, to see whether what stands around them is right. */
function sample(kind: CapabilityKind, item: string): string {
  return item.replace(PLACEHOLDER, (...match: unknown[]) => {
    const at = Number(match[3]);
    if (kind === "network") return item.charAt(at - 1) === ":" ? "1" : "sample";
    return PATH_KINDS.has(kind) && at === 0 ? "/sample" : "sample";
  });
}

const PATH_KINDS: ReadonlySet<CapabilityKind> = new Set([
  "file_read",
  "file_write",
  "cargo_run",
  "git_commit",
]);

/**
 * A message template with its parameters filled in, in one pass: what a value holds is never expanded again. Lists are joined
 * by ", ", an empty value gives nothing, and a name that `params` does not hold stays as it is written.
 */
export function renderTemplate(template: string, params: Params): string {
  return template.replace(PLACEHOLDER, (whole, name: string) => {
    if (!Object.hasOwn(params, name)) return whole;
    const value = params[name] ?? "";
    return typeof value === "string" ? value : value.join(", ");
  });
}

function describe(source: CapabilitySource): string {
  return typeof source === "string" ? source : JSON.stringify(source);
}
