import { type Dirent, readdirSync } from "node:fs";
import { basename, join } from "node:path";
import { errnoOf, errorText } from "../base/error-text.js";
import type { Places } from "../protocol/places.js";
import { SkillFrontmatter, type SkillReport } from "../protocol/skill.js";
import { splitAllowedTools } from "./allowed-tools.js";
import type { FileProblem } from "./file-problem.js";
import { parseYaml } from "./parse-file.js";
import { readText } from "./read-text.js";
import { skillAdvice } from "./skill-advice.js";
import { listSkillFiles } from "./skill-files.js";

export interface Skill extends SkillReport {
  /** What stands after the frontmatter. */
  readonly instructions: string;
}

export interface SkillDir {
  readonly dir: string;
  readonly origin: SkillReport["origin"];
}

export type ParsedSkill =
  | { readonly ok: true; readonly skill: Skill; readonly advice: readonly FileProblem[] }
  | { readonly ok: false; readonly problems: readonly FileProblem[] };

const FENCE = /^---[ \t]*\r?\n/;

/** A skill's folder by the Agent Skills specification, whole; every problem with file and line. `advice` breaks no rule. */
export function parseSkill({ dir, origin }: SkillDir): ParsedSkill {
  const file = join(dir, "SKILL.md");
  const fail = (message: string, hint: string | null = null, line = 1): ParsedSkill => ({
    ok: false,
    problems: [{ file, line, column: 1, field: "", message, hint }],
  });
  const read = readText(file);
  if (!read.ok) return fail(read.message, read.hint);
  if (!FENCE.test(read.text)) {
    return fail(
      "does not begin with frontmatter",
      "make '---' its first line, then name and description",
    );
  }
  const rest = read.text.replace(FENCE, "");
  const end = /^---[ \t]*\r?$/m.exec(rest);
  if (end === null) return fail("has no end of its frontmatter", "close it with a line '---'");
  // An empty first line keeps the numbers of the lines what they are in the file.
  const parsed = parseYaml(SkillFrontmatter, `\n${rest.slice(0, end.index)}`, file);
  if (!parsed.ok) return parsed;
  const { value, document } = parsed;
  const at = (field: string, message: string, hint: string | null): ParsedSkill => ({
    ok: false,
    problems: [{ file, ...document.at([field]), field, message, hint }],
  });
  const folder = basename(dir);
  if (value.name !== folder) {
    return at(
      "name",
      `is not the name of its folder, ${folder}`,
      `rename the folder to ${value.name}`,
    );
  }
  const tools = splitAllowedTools(value["allowed-tools"]);
  if (!tools.ok) return at("allowed-tools", tools.problem, null);
  const instructions = rest.slice(end.index + end[0].length).replace(/^(?:[ \t]*\r?\n)+/, "");
  if (instructions.trim() === "") return fail("has no instructions after its frontmatter");
  const files = listSkillFiles(dir);
  if (!files.ok) return fail(files.problem, files.hint);
  const skill: Skill = {
    name: value.name,
    description: value.description.trim(),
    license: value.license ?? null,
    compatibility: value.compatibility ?? null,
    metadata: value.metadata ?? {},
    allowed_tools: tools.tools === null ? null : [...tools.tools],
    files: [...files.files],
    ...{ dir, origin, instructions },
  };
  const firstLine = read.text.slice(0, read.text.length - instructions.length).split("\n").length;
  return { ok: true, skill, advice: skillAdvice(skill, file, firstLine) };
}

/**
 * The skills of the directories by name: their direct folders with a SKILL.md, hidden ones and `node_modules` aside. Later directories
 * shadow earlier ones. A broken skill disables its own name only, also where it shadows a good one.
 */
export function loadSkills(dirs: readonly SkillDir[]): {
  readonly skills: ReadonlyMap<string, Skill>;
  readonly problems: readonly FileProblem[];
} {
  const skills = new Map<string, Skill>();
  const problems: FileProblem[] = [];
  for (const { dir, origin } of dirs) {
    const folders = skillFolders(dir);
    problems.push(...folders.problems);
    for (const folder of folders.folders) {
      const parsed = parseSkill({ dir: folder, origin });
      skills.delete(basename(folder));
      if (parsed.ok) skills.set(parsed.skill.name, parsed.skill);
      else problems.push(...parsed.problems);
    }
  }
  return { skills: new Map([...skills].sort(([a], [b]) => (a < b ? -1 : 1))), problems };
}

/** Where skills lie; later ones shadow earlier ones. */
export function skillDirs(places: Places): readonly SkillDir[] {
  return [
    { dir: places.vendorSkillsDir, origin: "vendor" },
    { dir: places.operatorSkillsDir, origin: "operator" },
    { dir: places.addedSkillsDir, origin: "added" },
  ];
}

/** The folders in `dir` that hold a SKILL.md. An absent directory is an empty one. */
export function skillFolders(dir: string): {
  readonly folders: readonly string[];
  readonly problems: readonly FileProblem[];
} {
  try {
    const folders = readdirSync(dir, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && !entry.name.startsWith("."))
      .filter(({ name }) => name !== "node_modules" && holdsSkill(join(dir, name)))
      .map(({ name }) => join(dir, name));
    return { folders: folders.sort(), problems: [] };
  } catch (thrown) {
    if (errnoOf(thrown) === "ENOENT") return { folders: [], problems: [] };
    const message = `cannot be listed: ${errorText(thrown)}`;
    return {
      folders: [],
      problems: [{ file: dir, line: 1, column: 1, field: "", message, hint: null }],
    };
  }
}

function holdsSkill(dir: string): boolean {
  const entries: readonly Dirent[] = readdirSync(dir, { withFileTypes: true });
  return entries.some(({ name }) => name === "SKILL.md");
}
