import { readdirSync } from "node:fs";
import { basename, join } from "node:path";
import { errnoOf, errorText } from "../base/error-text.js";
import type { FileProblem } from "./file-problem.js";
import { readText } from "./read-text.js";
import { readYaml } from "./yaml-document.js";

/** A place of the catalog. A later one's entries shadow those of the same name before it. */
export interface CatalogDir {
  readonly dir: string;
  readonly origin: "vendor" | "operator";
}

/** An entry with where it came from. */
export interface Loaded<T> {
  readonly value: T;
  readonly file: string;
  readonly origin: CatalogDir["origin"];
}

type Parse<T> = (
  text: string,
  file: string,
) =>
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly problems: readonly FileProblem[] };

/**
 * Every *.yaml of the directories, by name. A broken file disables its own name only, and that name wholly: what it would have
 * shadowed does not come back silently. Two files of one directory with the same name disable it too. An absent directory is
 * an empty one.
 */
export function loadDirs<T extends { readonly name: string }>(
  dirs: readonly CatalogDir[],
  parse: Parse<T>,
): { readonly entries: ReadonlyMap<string, Loaded<T>>; readonly problems: readonly FileProblem[] } {
  const entries = new Map<string, Loaded<T>>();
  const problems: FileProblem[] = [];
  for (const place of dirs) {
    const found = loadDir(place, parse);
    problems.push(...found.problems);
    for (const { name, file } of found.broken) {
      const shadowed = entries.get(name);
      if (shadowed === undefined) continue;
      entries.delete(name);
      const message = `'${name}' is disabled: this file shadows ${shadowed.file} and cannot be used`;
      problems.push(
        wholeFile(file, message, "correct this file, or remove it to get the other back"),
      );
    }
    for (const [name, entry] of found.entries) entries.set(name, entry);
  }
  return { entries, problems };
}

interface Found<T> {
  readonly entries: ReadonlyMap<string, Loaded<T>>;
  readonly broken: readonly { readonly name: string; readonly file: string }[];
  readonly problems: readonly FileProblem[];
}

function loadDir<T extends { readonly name: string }>(
  { dir, origin }: CatalogDir,
  parse: Parse<T>,
): Found<T> {
  const entries = new Map<string, Loaded<T>>();
  const broken: { name: string; file: string }[] = [];
  const listed = listYaml(dir);
  const problems: FileProblem[] = [...listed.problems];
  for (const file of listed.files) {
    const read = readText(file);
    const parsed = read.ok
      ? parse(read.text, file)
      : { ok: false as const, problems: [wholeFile(file, read.message, read.hint)] };
    if (!parsed.ok) {
      problems.push(...parsed.problems);
      broken.push({ name: likelyName(read.ok ? read.text : "", file), file });
      continue;
    }
    const { name } = parsed.value;
    const twin = entries.get(name) ?? broken.find((one) => one.name === name);
    if (twin === undefined) entries.set(name, { value: parsed.value, file, origin });
    else {
      broken.push({ name, file });
      problems.push(
        wholeFile(
          file,
          `'${name}' is defined in ${twin.file} too, so neither is used`,
          "rename or remove one of the two",
        ),
      );
    }
  }
  for (const { name } of broken) entries.delete(name);
  return { entries, broken, problems };
}

function listYaml(dir: string): {
  readonly files: readonly string[];
  readonly problems: readonly FileProblem[];
} {
  try {
    const names = readdirSync(dir).filter((name) => /^[^.].*\.ya?ml$/.test(name));
    return { files: names.sort().map((name) => join(dir, name)), problems: [] };
  } catch (thrown) {
    if (errnoOf(thrown) === "ENOENT") return { files: [], problems: [] };
    return {
      files: [],
      problems: [wholeFile(dir, `cannot be listed: ${errorText(thrown)}`, null)],
    };
  }
}

/** The name that a broken file means to define: what it says, or else what it is called. */
function likelyName(text: string, file: string): string {
  const read = readYaml(text, file);
  const data = read.ok ? read.document.data : undefined;
  const hasName = typeof data === "object" && data !== null && "name" in data;
  const said =
    hasName && typeof data.name === "string"
      ? data.name
      : /^name: *["']?([\w.-]+)/m.exec(text)?.[1];
  return said ?? basename(file).replace(/\.ya?ml$/, "");
}

function wholeFile(file: string, message: string, hint: string | null): FileProblem {
  return { file, line: 1, column: 1, field: "", message, hint };
}
