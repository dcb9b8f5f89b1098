import {
  CST,
  type Document,
  isAlias,
  isMap,
  isNode,
  isPair,
  isSeq,
  Lexer,
  LineCounter,
  type Node,
  parseDocument,
} from "yaml";
import { errorText } from "../base/error-text.js";
import type { FieldPath, FileProblem } from "./file-problem.js";

export const MAX_FILE_BYTES = 1_048_576;
/** More alias expansions than this are an attack, not a file. */
const MAX_ALIASES = 100;
const MAX_DEPTH = 100;

export interface Position {
  readonly line: number;
  readonly column: number;
}

/** A YAML file as plain data, and where each part of it stands. */
export interface YamlDocument {
  readonly data: unknown;
  /** Where the value at the path stands; of its nearest parent where it is absent. */
  readonly at: (path: FieldPath) => Position;
  /** Where the key itself stands, for a key that should not be there. */
  readonly atKey: (path: FieldPath) => Position;
}

export type ReadYaml =
  | { readonly ok: true; readonly document: YamlDocument }
  | { readonly ok: false; readonly problems: readonly FileProblem[] };

/** YAML 1.2 text as data. One document, no duplicate keys, no tags of its own, aliases and depth bounded, at most 1 MiB. */
export function readYaml(text: string, file: string): ReadYaml {
  const fail = (message: string): ReadYaml => ({
    ok: false,
    problems: [{ file, ...START, field: "", message, hint: null }],
  });
  if (Buffer.byteLength(text) > MAX_FILE_BYTES) return fail("is larger than 1 MiB");
  if (isTooDeep(text)) return fail("is nested too deeply");
  try {
    const lines = new LineCounter();
    const tree = parseDocument(text, {
      lineCounter: lines,
      logLevel: "error",
      prettyErrors: false,
    });
    const faults = [...tree.errors, ...tree.warnings];
    if (faults.length > 0) {
      const problems = faults.map((fault) => ({
        file,
        ...position(lines, fault.pos[0]),
        field: "",
        message: fault.message,
        hint: YAML_HINTS[fault.code] ?? null,
      }));
      return { ok: false, problems };
    }
    const data: unknown = tree.toJS({ maxAliasCount: MAX_ALIASES });
    return { ok: true, document: locate(tree, lines, data) };
  } catch (thrown) {
    // The parser recurses: nesting that exhausts its stack ends here too.
    return fail(`cannot be read as YAML: ${errorText(thrown)}`);
  }
}

const START: Position = { line: 1, column: 1 };
const YAML_HINTS: Readonly<Record<string, string>> = {
  DUPLICATE_KEY: "keep one of the two",
  TAB_AS_INDENT: "indent with spaces",
  MULTIPLE_DOCS: "one file holds one document; remove the '---'",
  BAD_INDENT: "align the lines of one list or map",
  MISSING_CHAR: "close the quote or bracket",
  TAG_RESOLVE_FAILED: "tags are not used here; remove it",
};

const LINE_NESTING: ReadonlySet<string> = new Set(["seq-item-ind", "explicit-key-ind"]);
const BRACKETS: Readonly<Record<string, number>> = {
  "flow-seq-start": 1,
  "flow-map-start": 1,
  "flow-seq-end": -1,
  "flow-map-end": -1,
};

/** The parser recurses, so nesting is bounded before it: brackets that are open, and list items begun on one line. */
function isTooDeep(text: string): boolean {
  let open = 0;
  let onLine = 0;
  for (const lexeme of new Lexer().lex(text)) {
    const type = CST.tokenType(lexeme) ?? "";
    if (type === "newline") onLine = 0;
    else if (LINE_NESTING.has(type)) onLine++;
    else open += BRACKETS[type] ?? 0;
    if (open > MAX_DEPTH || onLine > MAX_DEPTH) return true;
  }
  return false;
}

function locate(tree: Document.Parsed, lines: LineCounter, data: unknown): YamlDocument {
  const at = (path: FieldPath): Position => {
    const offset = nearest(tree, path)?.range?.[0];
    return offset === undefined ? START : position(lines, offset);
  };
  const atKey = (path: FieldPath): Position => {
    const offset = keyNode(tree, path)?.range?.[0];
    return offset === undefined ? at(path) : position(lines, offset);
  };
  return { data, at, atKey };
}

function position(lines: LineCounter, offset: number): Position {
  const { line, col } = lines.linePos(offset);
  return { line: Math.max(1, line), column: Math.max(1, col) };
}

function nearest(tree: Document.Parsed, path: FieldPath): Node | undefined {
  for (let length = path.length; length >= 0; length--) {
    const node = walk(tree, path.slice(0, length));
    if (node !== undefined) return node;
  }
  return undefined;
}

function walk(tree: Document.Parsed, path: FieldPath): Node | undefined {
  let node: unknown = tree.contents;
  for (const key of path) {
    node = isAlias(node) ? node.resolve(tree) : node;
    if (!isMap(node) && !isSeq(node)) return undefined;
    node = node.get(key, true);
  }
  return isNode(node) ? node : undefined;
}

function keyNode(tree: Document.Parsed, path: FieldPath): Node | undefined {
  const parent = walk(tree, path.slice(0, -1));
  if (!isMap(parent)) return undefined;
  const last = String(path.at(-1));
  const pair = parent.items.find((item) => isPair(item) && String(item.key) === last);
  return isNode(pair?.key) ? pair.key : undefined;
}
