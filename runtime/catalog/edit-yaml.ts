import { isDeepStrictEqual } from "node:util";
import {
  type Document,
  isMap,
  isNode,
  isScalar,
  type Node,
  parseDocument,
  stringify,
  type YAMLMap,
} from "yaml";
import { AgentdError } from "../protocol/agentd-error.js";
import type { Json } from "../protocol/json.js";
import { type FieldPath, formatField } from "./file-problem.js";

/** A value to set; maps on the way to it are made where they are missing. */
export interface YamlChange {
  readonly path: FieldPath;
  readonly value: Json;
}

/**
 * The text with the values set and everything else as it was: comments, order, quotes, blank lines. `text` must be valid YAML whose
 * parts on the way are maps. Where a value cannot be put in by itself the document is written anew, with its comments.
 */
export function editYaml(text: string, changes: readonly YamlChange[]): string {
  return changes.reduce(setOne, text);
}

function setOne(text: string, change: YamlChange): string {
  const wanted = parseDocument(text);
  if (wanted.errors.length > 0)
    throw new AgentdError(
      "invalid_file",
      `set ${formatField(change.path)}`,
      String(wanted.errors[0]),
    );
  const { path, value } = beneathEmpty(wanted, change);
  if (isDeepStrictEqual(plain(wanted.getIn(path, true)), value)) return text;
  wanted.setIn(path, wanted.createNode(value));
  const spliced = splice(text, parseDocument(text), path, value);
  const after = spliced === undefined ? undefined : parseDocument(spliced);
  const isRight = after?.errors.length === 0 && isDeepStrictEqual(after.toJS(), wanted.toJS());
  return spliced !== undefined && isRight ? spliced : wanted.toString({ lineWidth: 0 });
}

/** A key without a value on the way gets a map of what was to stand below it. */
function beneathEmpty(tree: Document, { path, value }: YamlChange): YamlChange {
  for (let depth = 1; depth < path.length; depth++) {
    if (tree.getIn(path.slice(0, depth)) !== null) continue;
    const inner = path.slice(depth).reduceRight<Json>((held, key) => ({ [key]: held }), value);
    return { path: path.slice(0, depth), value: inner };
  }
  return { path, value };
}

function plain(node: unknown): unknown {
  return isNode(node) ? node.toJSON() : node;
}

/** The text with the value put in at its place, or undefined where it has none of its own. */
function splice(text: string, tree: Document, path: FieldPath, value: Json): string | undefined {
  let at: unknown = tree.contents;
  for (const [depth, key] of path.entries()) {
    if (at === null || at === undefined) return depth === 0 ? append(text, path, value) : undefined;
    if (!isMap(at)) return undefined;
    const next: unknown = at.get(key, true);
    if (next === undefined) return insert(text, at, depth, path, value);
    at = next;
  }
  return isNode(at) && isScalar(at) ? replace(text, at, value) : undefined;
}

function replace(text: string, { range }: Node, value: Json): string | undefined {
  if (range === null || range === undefined) return undefined;
  const [from, to] = range;
  // A key without a value has an empty one right behind its colon.
  const gap = from === to && text[from - 1] === ":" ? " " : "";
  return text.slice(0, from) + gap + flow(value) + text.slice(to);
}

/** A new entry of a map that is there. */
function insert(
  text: string,
  map: YAMLMap,
  depth: number,
  path: FieldPath,
  value: Json,
): string | undefined {
  const entry = entryText(path.slice(depth), value);
  if (depth === 0 && map.flow !== true) return append(text, path, value);
  const { range } = map;
  if (range === null || range === undefined) return undefined;
  if (map.flow === true) {
    const end = text.lastIndexOf("}", range[1]);
    const before = text.slice(0, end).trimEnd();
    const separator = map.items.length === 0 ? "" : ", ";
    return `${before}${separator}${entry}${text.slice(end)}`;
  }
  const indent = " ".repeat(range[0] - text.lastIndexOf("\n", range[0] - 1) - 1);
  const held = text.slice(0, range[1]).trimEnd().length;
  const lineEnd = text.indexOf("\n", held);
  const end = lineEnd < 0 ? text.length : lineEnd;
  return `${text.slice(0, end)}\n${indent}${entry}${text.slice(end)}`;
}

/** A new line at the end of the file. */
function append(text: string, path: FieldPath, value: Json): string {
  const newline = text === "" || text.endsWith("\n") ? "" : "\n";
  return `${text}${newline}${entryText(path, value)}\n`;
}

/** `key: value`, further keys as maps inside. */
function entryText(path: FieldPath, value: Json): string {
  const [key = "", ...rest] = path;
  const inner = rest.reduceRight<Json>((held, each) => ({ [String(each)]: held }), value);
  return `${flow(String(key))}: ${flow(inner)}`;
}

/** A value on one line. */
function flow(value: Json): string {
  return stringify(value, {
    collectionStyle: "flow",
    lineWidth: 0,
    flowCollectionPadding: false,
  }).trim();
}
