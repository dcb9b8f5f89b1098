import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { formatProblem } from "./catalog/file-problem.js";
import { parseSkill } from "./catalog/skills.js";
import { AgentdError } from "./protocol/agentd-error.js";
import type { SkillUpload } from "./protocol/control.js";
import type { SkillReport } from "./protocol/skill.js";
import { mendFolders, replaceFolder } from "./store/replace-folder.js";

/**
 * Puts a skill into the daemon's own directory of skills, in the place of one of the same name that was added before. It is whole and
 * valid, and on the disk, before it gets its name; a broken one throws `invalid_file` and leaves nothing. The caller has the catalog read again.
 */
export function addSkill({ name, files }: SkillUpload, addedSkillsDir: string): SkillReport {
  const staging = join(addedSkillsDir, ".staging");
  const made = join(staging, name);
  rmSync(staging, { recursive: true, force: true });
  mendFolders(addedSkillsDir);
  try {
    for (const { path, content } of files) {
      const file = join(made, path);
      mkdirSync(dirname(file), { recursive: true, mode: 0o750 });
      const bytes = Buffer.from(content, "base64");
      writeFileSync(file, bytes, { flag: "wx", mode: 0o640, flush: true });
    }
    const parsed = parseSkill({ dir: made, origin: "added" });
    if (!parsed.ok) {
      const told = parsed.problems.map((one) => formatProblem({ ...one, file: "SKILL.md" }));
      throw new AgentdError("invalid_file", "add skill", told.join("\n"));
    }
    const place = join(addedSkillsDir, name);
    replaceFolder(made, place);
    const { instructions: _body, ...skill } = parsed.skill;
    return { ...skill, dir: place };
  } finally {
    rmSync(staging, { recursive: true, force: true });
  }
}
