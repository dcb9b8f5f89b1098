import type { z } from "zod";
import { assertNever } from "../base/assert-never.js";
import { suggest } from "../base/suggest.js";
import { type FieldPath, type FileProblem, formatField } from "./file-problem.js";
import { knownKeys } from "./known-keys.js";
import { type Position, readYaml, type YamlDocument } from "./yaml-document.js";

export type ParsedYaml<T> =
  | { readonly ok: true; readonly value: T; readonly document: YamlDocument }
  | { readonly ok: false; readonly problems: readonly FileProblem[] };

/**
 * YAML text as a value of the schema, or every problem in it with its line. An empty file is an empty map. `document` tells
 * where parts stand, for checks that the schema cannot make.
 */
export function parseYaml<T>(schema: z.ZodType<T>, text: string, file: string): ParsedYaml<T> {
  const read = readYaml(text, file);
  if (!read.ok) return read;
  const { document } = read;
  const parsed = schema.safeParse(document.data ?? {}, { reportInput: true });
  if (parsed.success) return { ok: true, value: parsed.data, document };
  const problems = parsed.error.issues.flatMap((issue) =>
    explain(issue, { schema, file, document }),
  );
  return { ok: false, problems };
}

interface Origin {
  readonly schema: z.ZodType;
  readonly file: string;
  readonly document: YamlDocument;
}

function explain(issue: z.core.$ZodIssue, origin: Origin): readonly FileProblem[] {
  const path = issue.path.map((key) => (typeof key === "number" ? key : String(key)));
  const { file, document } = origin;
  const make = (
    at: Position,
    where: FieldPath,
    message: string,
    hint: string | null,
  ): FileProblem => ({
    file,
    ...at,
    field: formatField(where),
    message,
    hint,
  });
  switch (issue.code) {
    case "unrecognized_keys":
      return issue.keys.map((key) => {
        const near = suggest(key, knownKeys(origin.schema, path));
        const hint = near === undefined ? knownHint(origin, path) : `did you mean ${near}?`;
        return make(document.atKey([...path, key]), [...path, key], "is unknown", hint);
      });
    case "invalid_key":
      return [
        make(document.atKey(path), path, issue.issues[0]?.message ?? "is no valid key", null),
      ];
    case "invalid_value": {
      const values = issue.values.map(String);
      const near = typeof issue.input === "string" ? suggest(issue.input, values) : undefined;
      const hint = near === undefined ? null : `did you mean ${near}?`;
      return [make(document.at(path), path, `must be one of ${values.join(", ")}`, hint)];
    }
    case "invalid_union":
      return [make(document.at(path), path, unionMessage(issue), null)];
    case "invalid_type":
    case "invalid_format":
    case "invalid_element":
    case "too_small":
    case "too_big":
    case "not_multiple_of":
    case "custom":
      return [make(document.at(path), path, plain(issue), null)];
    default:
      return assertNever(issue);
  }
}

function knownHint(origin: Origin, path: FieldPath): string | null {
  const known = knownKeys(origin.schema, path);
  return known.length === 0 ? null : `known are ${known.join(", ")}`;
}

function unionMessage(issue: Extract<z.core.$ZodIssue, { code: "invalid_union" }>): string {
  if (issue.errors.length === 0) return plain(issue);
  const wanted = issue.errors.map((branch) => branch.map(plain).join(" and "));
  return [...new Set(wanted)].join(", or ");
}

/** Zod's sentence in the words of a file: what is missing is said to be missing. */
function plain(issue: z.core.$ZodIssue): string {
  if (issue.code === "invalid_type" && issue.input === undefined) return "is missing";
  return issue.message
    .replace(/^Invalid input: expected /, "must be a ")
    .replace(/must be a (array|object|int)/, "must be an $1")
    .replace(/^Too small: expected \w+ to /, "must ")
    .replace(/^Too big: expected \w+ to /, "must ");
}
