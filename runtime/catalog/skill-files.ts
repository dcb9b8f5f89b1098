import { readdirSync } from "node:fs";
import { join } from "node:path";
import { errorText } from "../base/error-text.js";

const MAX_FILES = 500;
const MAX_DEPTH = 3;

export type SkillFiles =
  | { readonly ok: true; readonly files: readonly string[] }
  | { readonly ok: false; readonly problem: string; readonly hint: string | null };

/** The plain files below a skill's folder, SKILL.md aside, by their paths in it. Hidden ones are left out; a link is refused. */
export function listSkillFiles(dir: string): SkillFiles {
  const files: string[] = [];
  try {
    const refused = collect(dir, "", 1, files);
    if (refused !== undefined)
      return { ok: false, problem: refused, hint: "put the file itself there" };
  } catch (thrown) {
    return { ok: false, problem: `cannot be listed: ${errorText(thrown)}`, hint: null };
  }
  if (files.length > MAX_FILES) {
    return { ok: false, problem: `has ${files.length} files, more than ${MAX_FILES}`, hint: null };
  }
  return { ok: true, files: files.sort() };
}

function collect(dir: string, below: string, depth: number, into: string[]): string | undefined {
  for (const entry of readdirSync(join(dir, below), { withFileTypes: true })) {
    const path = below === "" ? entry.name : `${below}/${entry.name}`;
    if (entry.name.startsWith(".") || path === "SKILL.md") continue;
    if (entry.isSymbolicLink()) return `holds a link, ${path}`;
    if (entry.isFile()) into.push(path);
    if (!entry.isDirectory() || depth === MAX_DEPTH) continue;
    const refused = collect(dir, path, depth + 1, into);
    if (refused !== undefined) return refused;
  }
  return undefined;
}
