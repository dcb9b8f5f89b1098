import { suggest } from "../base/suggest.js";
import { normaliseGlob } from "../policy/glob-syntax.js";
import type { Role, RoleParameter } from "../protocol/role.js";

export type ResolvedParams =
  | { readonly ok: true; readonly params: Record<string, string | string[]> }
  | { readonly ok: false; readonly problems: readonly string[] };

type Value =
  | { readonly ok: true; readonly value: string | string[] }
  | { readonly ok: false; readonly problem: string };

/**
 * What a plan or an operator gave, as the role's parameters: aliases resolved, paths absolute and normalised, a single text
 * where a list is wanted made a list. Every declared name is in the result; an unset one holds "" or []. All problems at once.
 */
export function resolveParams(role: Role, raw: Readonly<Record<string, unknown>>): ResolvedParams {
  const problems = Object.keys(raw)
    .filter((given) => !isKnown(role, given))
    .map((given) => unknownName(role, given));
  const params: Record<string, string | string[]> = {};
  for (const [name, parameter] of Object.entries(role.parameters)) {
    const given = collect(name, parameter, raw);
    const value = given.length > 1 ? conflict(name, given) : convert(name, parameter, given[0]);
    if (value.ok) params[name] = value.value;
    else problems.push(value.problem);
  }
  return problems.length === 0 ? { ok: true, params } : { ok: false, problems };
}

function isKnown(role: Role, given: string): boolean {
  if (Object.hasOwn(role.parameters, given)) return true;
  return Object.values(role.parameters).some(({ aliases }) => aliases.includes(given));
}

function unknownName(role: Role, given: string): string {
  const names = Object.keys(role.parameters);
  const near = suggest(given, names);
  const help =
    near === undefined ? `it takes ${names.join(", ") || "none"}` : `did you mean ${near}?`;
  return `${role.name} has no parameter '${given}'; ${help}`;
}

/** What was given under the name or an alias, each different value once. */
function collect(
  name: string,
  { aliases }: RoleParameter,
  raw: Readonly<Record<string, unknown>>,
): readonly unknown[] {
  const values = new Map<string, unknown>();
  for (const key of [name, ...aliases]) {
    const value = Object.hasOwn(raw, key) ? raw[key] : undefined;
    if (!isUnset(value)) values.set(JSON.stringify(value), value);
  }
  return [...values.values()];
}

function isUnset(value: unknown): boolean {
  return (
    value === undefined ||
    value === null ||
    value === "" ||
    (Array.isArray(value) && value.length === 0)
  );
}

function conflict(name: string, given: readonly unknown[]): Value {
  const values = given.map((value) => JSON.stringify(value)).join(" and ");
  return { ok: false, problem: `'${name}' is given twice: ${values}` };
}

function convert(name: string, parameter: RoleParameter, given: unknown): Value {
  const { type, required, description } = parameter;
  if (given === undefined) {
    const about = description === "" ? "" : ` (${description})`;
    if (required) return { ok: false, problem: `'${name}' is missing${about}` };
    return { ok: true, value: type === "string_list" ? [] : "" };
  }
  if (type === "string_list") return convertList(name, given);
  if (typeof given !== "string") {
    return {
      ok: false,
      problem: `'${name}' must be a text, not ${String(JSON.stringify(given)).slice(0, 80)}`,
    };
  }
  return type === "path" ? convertPath(name, given) : { ok: true, value: given };
}

function convertList(name: string, given: unknown): Value {
  const list: readonly unknown[] = Array.isArray(given) ? given : [given];
  const texts = list.filter((item) => typeof item === "string" && item !== "");
  if (texts.length < list.length)
    return { ok: false, problem: `'${name}' must be a list of texts` };
  return { ok: true, value: texts.map(String) };
}

/** Literal: a star in it is a character like any other. */
function convertPath(name: string, given: string): Value {
  const path = given.trim();
  const normal = normaliseGlob(path.replace(/[\\*]/g, "_"));
  if (!normal.ok)
    return { ok: false, problem: `'${name}' must be an absolute path: ${normal.problem}` };
  const segments = path.split("/").filter((segment) => segment !== "" && segment !== ".");
  return { ok: true, value: `/${segments.join("/")}` };
}
