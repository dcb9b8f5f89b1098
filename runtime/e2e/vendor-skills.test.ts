import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Command as Commander } from "commander";
import { describe, expect, it } from "vitest";
import { parseRole } from "../catalog/roles.js";
import { readMcpServers } from "../catalog/settings.js";
import { parseSkill, skillFolders } from "../catalog/skills.js";
import { type CommandShape, shapeOf } from "../cli/command-tree.js";
import { registerVerbs } from "../cli/verbs.js";
import { skillCatalog } from "../runs/skill-catalog.js";
import { BUILTIN_TOOLS } from "../tools/registry.js";

const SKILLS = fileURLToPath(new URL("../../packaging/skills", import.meta.url));
const FOLDERS = skillFolders(SKILLS).folders;
const texts = (folder: string): readonly string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true }).flatMap((entry) =>
    entry.isFile() ? [readFileSync(join(entry.parentPath, entry.name), "utf8")] : [],
  );

function commandLine(): CommandShape {
  const program = new Commander("agentd").version("0", "-V, --version");
  registerVerbs(program, () => Promise.resolve());
  return shapeOf(program);
}

/** Every `agentd …` that a text names: its words up to an argument, and its long options. */
function commandsIn(
  text: string,
): readonly { readonly words: string[]; readonly options: string[] }[] {
  const named = [
    ...text.matchAll(/`agentd ([^`]+)`/g),
    ...text.matchAll(/^ {4,}agentd (.+)$/gm),
  ].map(([, line = ""]) => line.split(/ -- | #/, 1)[0] ?? "");
  return named.map((line) => {
    const parts = line.split(/\s+/);
    const end = parts.findIndex((part) => !/^[a-z]+$/.test(part));
    return {
      words: end === -1 ? parts : parts.slice(0, end),
      options: parts.filter((part) => part.startsWith("--")),
    };
  });
}

describe("A16 the vendor's skills", () => {
  it("are at least 21, valid, without a word of advice, and fit into a prompt", () => {
    const parsed = FOLDERS.map((dir) => parseSkill({ dir, origin: "vendor" }));
    expect(FOLDERS.length).toBeGreaterThanOrEqual(21);
    for (const one of parsed) {
      expect(one).toMatchObject({ ok: true, advice: [] });
    }
    const skills = parsed.flatMap((one) => (one.ok ? [one.skill] : []));
    const whole = skillCatalog(skills, 2_000);
    for (const { name, description } of skills)
      expect(whole).toContain(`- ${name}: ${description}`);
  });

  it.each(FOLDERS.map((folder) => [folder.slice(SKILLS.length + 1), folder]))(
    "%s names only commands and options that agentd has",
    (_, folder) => {
      for (const { words, options } of texts(folder).flatMap(commandsIn)) {
        let at = commandLine();
        for (const word of words) {
          if (at.commands.length === 0) break;
          const next = at.commands.find(({ name }) => name === word);
          expect(next, `agentd ${words.join(" ")}`).toBeDefined();
          at = next ?? at;
        }
        const known = [...at.options.map(({ long }) => long), "--json", "--version"];
        for (const option of options)
          expect(known, `${words.join(" ")} ${option}`).toContain(option);
      }
    },
  );

  it("name only tools that there are", () => {
    const names = BUILTIN_TOOLS.map(({ name }) => name);
    for (const folder of FOLDERS) {
      for (const text of texts(folder)) {
        for (const [, tool = ""] of text.matchAll(/`([a-z]+(?:_[a-z]+)*)\{/g))
          expect(names).toContain(tool);
      }
    }
  });

  it("bring scripts that Python takes, and examples that the system takes", () => {
    for (const folder of FOLDERS) {
      const parsed = parseSkill({ dir: folder, origin: "vendor" });
      const files = parsed.ok ? parsed.skill.files : [];
      for (const file of files.filter((name) => name.endsWith(".py"))) {
        const check = "import ast, sys; ast.parse(sys.stdin.read())";
        const input = readFileSync(join(folder, file));
        expect(spawnSync("python3", ["-c", check], { input }).status, file).toBe(0);
      }
    }
    const role = join(SKILLS, "writing-a-role/assets/translator.yaml");
    expect(parseRole(readFileSync(role, "utf8"), role)).toMatchObject({ ok: true });
    const mcp = join(SKILLS, "connecting-an-mcp-server/assets/mcp-servers.yaml");
    expect(readMcpServers(mcp).client.servers.map(({ name }) => name)).toEqual([
      "files",
      "tracker",
    ]);
  });

  it("the scripts do what their skills say", () => {
    const script = (path: string) => readFileSync(join(SKILLS, path), "utf8");
    const run = (path: string, ...args: string[]) =>
      spawnSync("python3", ["-", ...args], { input: script(path), encoding: "utf8" });
    const log = run("triaging-logs/scripts/count_lines.py", fileURLToPath(import.meta.url));
    expect(log.stdout).toContain("kinds of lines");
    const records = run("extracting-data/scripts/check_records.py", "/dev/null", "id");
    expect(records.stdout).toBe("0 records, 0 problems\n");
  });
});
