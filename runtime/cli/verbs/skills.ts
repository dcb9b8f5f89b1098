import { readFileSync, statSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { errorText } from "../../base/error-text.js";
import { suggest } from "../../base/suggest.js";
import { formatProblem } from "../../catalog/file-problem.js";
import {
  loadSkills,
  type ParsedSkill,
  parseSkill,
  skillDirs,
  skillFolders,
} from "../../catalog/skills.js";
import { AgentdError } from "../../protocol/agentd-error.js";
import type { ExitCode } from "../../protocol/error-code.js";
import { printProblems } from "../catalog-files.js";
import { connectTo } from "../client.js";
import type { Command } from "../command.js";
import { plural } from "../format.js";
import { plainLine, plainText } from "../plain-text.js";
import { printJson, printLine, printTable } from "../print.js";
import { readTextFile } from "../read-text-file.js";

/** A request line has room for so much of a skill. Bytes. */
const MAX_UPLOAD_BYTES = 700_000;

/** The skills as the files say it now, and what in them is broken. */
export function skillsList(command: Command): ExitCode {
  const { skills, problems } = loadSkills(skillDirs(command.places));
  if (command.json) {
    const shown = [...skills.values()].map(({ instructions: _body, ...skill }) => skill);
    printJson(command, { skills: shown, problems });
    return 0;
  }
  const rows = [...skills.values()].map((skill) => [
    skill.name,
    skill.origin,
    skill.allowed_tools === null ? "any" : skill.allowed_tools.join(" "),
    skill.description,
  ]);
  if (rows.length === 0) printLine(command, "No skills.");
  else printTable(command, ["SKILL", "FROM", "TOOLS", "WHAT IT IS FOR"], rows);
  printProblems(command, problems);
  return 0;
}

/** One skill whole, as its SKILL.md says it. */
export function skillsShow(command: Command, name: string): ExitCode {
  const { skills, problems } = loadSkills(skillDirs(command.places));
  const found = skills.get(name);
  if (found === undefined) {
    const broken = problems.find(({ file }) => file.endsWith(`/${name}/SKILL.md`));
    if (broken !== undefined) {
      throw new AgentdError("invalid_file", "read skill", formatProblem(broken));
    }
    const near = suggest(name, [...skills.keys()]);
    const help = near === undefined ? "" : `; did you mean ${near}?`;
    throw new AgentdError("unknown_skill", "find skill", `no skill ${JSON.stringify(name)}${help}`);
  }
  if (command.json) {
    printJson(command, found);
    return 0;
  }
  const file = join(found.dir, "SKILL.md");
  printLine(command, command.style.dim(`# ${file}`));
  printLine(command, plainText(readTextFile(file)).trimEnd());
  for (const other of found.files) printLine(command, command.style.dim(`+ ${plainLine(other)}`));
  return 0;
}

/** Checks one skill's folder, or every one in a folder of them, without a daemon; exit code 2 where something is wrong. */
export function skillsValidate(command: Command, path: string): ExitCode {
  const dir = resolve(command.io.cwd, path);
  const folders = foldersAt(dir);
  const parsed = folders.map((folder) => parseSkill({ dir: folder, origin: "operator" }));
  const problems = parsed.flatMap((one) => (one.ok ? [] : one.problems));
  const advice = parsed.flatMap((one) => (one.ok ? one.advice : []));
  if (command.json) {
    const ok = problems.length === 0;
    printJson(command, { ok, skills: folders.length, problems, advice });
    return ok ? 0 : 2;
  }
  for (const one of advice) command.io.stderr.write(`advice: ${plainLine(formatProblem(one))}\n`);
  for (const one of problems) command.io.stderr.write(`agentd: ${plainLine(formatProblem(one))}\n`);
  if (problems.length === 0) {
    printLine(command, `${command.style.good("✓ valid")}: ${plural(folders.length, "skill")}`);
    return 0;
  }
  command.io.stderr.write("Correct what is named, then validate again.\n");
  return 2;
}

/** Gives a skill to the daemon, which keeps it; the next agent has it. */
export async function skillsAdd(command: Command, path: string): Promise<ExitCode> {
  const dir = resolve(command.io.cwd, path);
  const skill = valid(parseSkill({ dir, origin: "added" }));
  const files = ["SKILL.md", ...skill.files].map((file) => ({
    path: file,
    content: readFileSync(join(dir, file)).toString("base64"),
  }));
  const size = files.reduce((sum, { content }) => sum + content.length, 0);
  if (size > MAX_UPLOAD_BYTES) {
    throw new AgentdError("request_too_large", "skills add", `${dir} is too large to be sent`, {
      hint: `Copy it to ${join(command.places.operatorSkillsDir, basename(dir))}, then \`systemctl reload agentd\`.`,
    });
  }
  const added = await connectTo(command.places.socketPath, command.heard).call("skill.add", {
    name: skill.name,
    files,
  });
  if (command.json) printJson(command, added);
  else printLine(command, `${command.style.good("✓ added")}: ${added.name} (${added.dir})`);
  return 0;
}

function valid(parsed: ParsedSkill): Extract<ParsedSkill, { ok: true }>["skill"] {
  if (parsed.ok) return parsed.skill;
  throw new AgentdError(
    "invalid_file",
    "read skill",
    parsed.problems.map(formatProblem).join("\n"),
    {
      hint: "Correct it, then try `agentd skills validate DIR`.",
    },
  );
}

/** The folder itself where it is a skill, else the skills in it. */
function foldersAt(dir: string): readonly string[] {
  try {
    if (!statSync(dir).isDirectory()) {
      throw new Error("it is no folder");
    }
  } catch (cause) {
    throw new AgentdError("invalid_file", "validate", `cannot read ${dir}: ${errorText(cause)}`, {
      cause,
      hint: "Name a skill's folder, or a folder of them.",
    });
  }
  const { folders } = skillFolders(dir);
  return folders.length > 0 ? folders : [dir];
}
