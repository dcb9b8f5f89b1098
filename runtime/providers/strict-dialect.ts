import type { Json, JsonObject } from "../protocol/json.js";

/**
 * JSON Schema in the dialect of strict json_schema: every object closed, every property required, no records, no defaults, no
 * patterns, no references. An optional property may be null, and a record is a list of {name, value}; `fromStrict` turns both back.
 * What the dialect cannot say, zod checks afterwards.
 */
export function toStrict(schema: JsonObject): JsonObject {
  return strictOf(schema, { root: schema, open: [] });
}

/** A value of the strict dialect in the original schema's own form. What is in that form already stays. */
export function fromStrict(schema: JsonObject, value: unknown): unknown {
  return restored(schema, value, { root: schema, open: [] });
}

interface Context {
  /** Where references are looked up. */
  readonly root: JsonObject;
  /** References that are being followed: a recursive one means any JSON. */
  readonly open: readonly string[];
}

/** As much of "any JSON" as the dialect can say. */
const SIMPLE_VALUE: JsonObject = {
  anyOf: [
    { type: "string" },
    { type: "number" },
    { type: "boolean" },
    { type: "array", items: { type: "string" } },
    { type: "null" },
  ],
};

function strictOf(schema: JsonObject, context: Context): JsonObject {
  const known = followed(schema, context);
  if (known === undefined) return SIMPLE_VALUE;
  const [node, inside] = known;
  const kept = described(node);
  const choices = choicesOf(node);
  if (choices !== undefined)
    return { ...kept, anyOf: choices.map((choice) => strictOf(choice, inside)) };
  if (node["const"] !== undefined) return { ...kept, ...typeOf(node), enum: [node["const"]] };
  if (node["enum"] !== undefined) return { ...kept, ...typeOf(node), enum: node["enum"] };
  if (isRecord(node)) return { ...kept, ...listOfPairs(recordValue(node), inside) };
  if (node["type"] === "object") return { ...kept, ...closedObject(node, inside) };
  if (node["type"] === "array") {
    const items = asObject(node["items"]);
    return {
      ...kept,
      type: "array",
      items: items === undefined ? SIMPLE_VALUE : strictOf(items, inside),
    };
  }
  return node["type"] === undefined ? SIMPLE_VALUE : { ...kept, ...typeOf(node) };
}

function closedObject(node: JsonObject, context: Context): JsonObject {
  const properties: JsonObject = {};
  for (const [name, value] of propertiesOf(node)) {
    const strict = strictOf(value, context);
    properties[name] = isRequired(node, name) ? strict : { anyOf: [strict, { type: "null" }] };
  }
  return {
    type: "object",
    properties,
    required: Object.keys(properties),
    additionalProperties: false,
  };
}

function listOfPairs(value: JsonObject | undefined, context: Context): JsonObject {
  const pair: JsonObject = {
    type: "object",
    properties: {
      name: { type: "string" },
      value: value === undefined ? SIMPLE_VALUE : strictOf(value, context),
    },
    required: ["name", "value"],
    additionalProperties: false,
  };
  return { type: "array", items: pair };
}

function restored(schema: JsonObject, value: unknown, context: Context): unknown {
  const known = followed(schema, context);
  if (known === undefined) return value;
  const [node, inside] = known;
  const choices = choicesOf(node);
  if (choices !== undefined) {
    const fits = choices.find((choice) => fitsType(choice, value, inside));
    return fits === undefined ? value : restored(fits, value, inside);
  }
  if (isRecord(node)) return restoredRecord(recordValue(node), value, inside);
  if (Array.isArray(value)) {
    const items = asObject(node["items"]);
    return items === undefined ? value : value.map((entry) => restored(items, entry, inside));
  }
  if (node["type"] !== "object" || typeof value !== "object" || value === null) return value;
  return restoredObject(node, value, inside);
}

function restoredObject(node: JsonObject, value: object, context: Context): unknown {
  const properties = new Map(propertiesOf(node));
  const entries = Object.entries(value).flatMap(([name, inner]): [string, unknown][] => {
    if (inner === null && properties.has(name) && !isRequired(node, name)) return [];
    const property = properties.get(name);
    return [[name, property === undefined ? inner : restored(property, inner, context)]];
  });
  return Object.fromEntries(entries);
}

function restoredRecord(schema: JsonObject | undefined, value: unknown, context: Context): unknown {
  if (!Array.isArray(value)) return value;
  const entries: [string, unknown][] = [];
  for (const pair of value as unknown[]) {
    if (typeof pair !== "object" || pair === null || !("name" in pair)) return value;
    const inner = "value" in pair ? pair.value : null;
    entries.push([
      String(pair.name),
      schema === undefined ? inner : restored(schema, inner, context),
    ]);
  }
  return Object.fromEntries(entries);
}

/** Resolves `$ref`, and `allOf` of one; undefined for a recursive or unknown reference. */
function followed(
  schema: JsonObject,
  context: Context,
): readonly [JsonObject, Context] | undefined {
  const ref = schema["$ref"];
  const all = schema["allOf"];
  if (Array.isArray(all) && all.length === 1) {
    const only = asObject(all[0]);
    return only === undefined ? undefined : followed(only, context);
  }
  if (typeof ref !== "string") return [schema, context];
  if (context.open.includes(ref) || !ref.startsWith("#/")) return undefined;
  let node: Json | undefined = context.root;
  for (const part of ref.slice(2).split("/")) node = asObject(node)?.[part];
  const target = asObject(node);
  if (target === undefined) return undefined;
  return followed(target, { ...context, open: [...context.open, ref] });
}

function choicesOf(node: JsonObject): JsonObject[] | undefined {
  const choices = node["anyOf"] ?? node["oneOf"];
  if (!Array.isArray(choices)) return undefined;
  return choices.map(asObject).filter((choice) => choice !== undefined);
}

function fitsType(schema: JsonObject, value: unknown, context: Context): boolean {
  const node = followed(schema, context)?.[0];
  if (node === undefined) return true;
  if (isRecord(node)) return Array.isArray(value);
  const type = node["type"];
  if (Array.isArray(value)) return type === "array";
  if (value === null) return type === "null";
  if (typeof value === "object") return type === "object";
  return type === typeof value || (type === "integer" && typeof value === "number");
}

function isRecord(node: JsonObject): boolean {
  if (node["type"] !== "object" || propertiesOf(node).length > 0) return false;
  return node["additionalProperties"] !== false;
}

function recordValue(node: JsonObject): JsonObject | undefined {
  return asObject(node["additionalProperties"]);
}

function propertiesOf(node: JsonObject): [string, JsonObject][] {
  return Object.entries(asObject(node["properties"]) ?? {}).flatMap(
    ([name, value]): [string, JsonObject][] => {
      const schema = asObject(value);
      return schema === undefined ? [] : [[name, schema]];
    },
  );
}

function isRequired(node: JsonObject, name: string): boolean {
  const required = node["required"];
  return Array.isArray(required) && required.includes(name);
}

function described(node: JsonObject): JsonObject {
  return typeof node["description"] === "string" ? { description: node["description"] } : {};
}

function typeOf(node: JsonObject): JsonObject {
  return node["type"] === undefined ? {} : { type: node["type"] };
}

function asObject(value: Json | undefined): JsonObject | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? value : undefined;
}
