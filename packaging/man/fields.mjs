// What a zod schema takes, a line for each field: its path, its type and its default, in the words of a manual.
import { z } from "zod";

/** `[{path, kind, fallback}]` of all leaves; a map's own keys are `NAME`. Only the fields' text is missing. */
export function fieldsOf(schema) {
  const found = new Map();
  walk(z.toJSONSchema(schema, { io: "input", unrepresentable: "any" }), "", found);
  return [...found.values()];
}

function walk(schema, path, found) {
  const branches = schema.oneOf ?? schema.anyOf;
  const isObject = schema.type === "object";
  if (branches?.every((each) => each.type === "object" && each.properties !== undefined)) {
    for (const each of branches) walk(each, path, found);
    return;
  }
  if (isObject && schema.properties !== undefined) {
    for (const [name, each] of Object.entries(schema.properties)) walk(each, path === "" ? name : `${path}.${name}`, found);
    return;
  }
  const values = schema.additionalProperties;
  if (isObject && typeof values === "object" && (values.properties ?? values.oneOf) !== undefined) {
    walk(values, path === "" ? "NAME" : `${path}.NAME`, found);
    return;
  }
  const before = found.get(path);
  const kind = kindOf(schema);
  const merged = before !== undefined && before.kind !== kind ? `${before.kind}, ${kind}` : kind;
  found.set(path, { path, kind: merged, fallback: schema.default });
}

function kindOf(schema) {
  if (schema.const !== undefined) return String(schema.const);
  if (schema.enum !== undefined) return schema.enum.join(", ");
  const any = schema.anyOf ?? schema.oneOf;
  if (any !== undefined) return [...new Set(any.map(kindOf))].join(" or ");
  if (schema.type === "array") return `list of ${kindOf(schema.items ?? {})}`;
  if (schema.type === "integer" || schema.type === "number") return numberOf(schema);
  if (schema.type === "boolean") return "true or false";
  if (schema.type === "object") return "map";
  if (schema.type === "null") return "null";
  if (schema.format === "uri") return "URL";
  return "text";
}

function numberOf({ type, minimum, maximum, exclusiveMinimum }) {
  const noun = type === "integer" ? "whole number" : "number";
  const least = exclusiveMinimum !== undefined ? `above ${exclusiveMinimum}` : minimum !== undefined && minimum > -(2 ** 53) + 1 ? `from ${minimum}` : "";
  const most = maximum !== undefined && maximum < 2 ** 53 - 1 ? `up to ${maximum}` : "";
  return [noun, least, most].filter((part) => part !== "").join(" ");
}

/** `whole number from 1 up to 10; default 3`. */
export function describe({ kind, fallback }) {
  const isEmpty = fallback === undefined || (typeof fallback === "object" && fallback !== null && Object.keys(fallback).length === 0);
  const shown = Array.isArray(fallback) ? fallback.join(", ") : String(fallback);
  return isEmpty ? kind : `${kind}; default ${shown === "" ? "empty" : shown}`;
}
