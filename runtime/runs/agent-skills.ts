import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { errorText } from "../base/error-text.js";
import { suggest } from "../base/suggest.js";
import { allowsTool } from "../catalog/allowed-tools.js";
import type { Skill } from "../catalog/skills.js";
import type { Denial } from "../protocol/access.js";
import type { Message } from "../protocol/message.js";
import type { PortFailure, PortResult } from "../protocol/ports.js";
import type { SkillsPort, SkillText } from "../protocol/skill.js";
import { skillCatalog } from "./skill-catalog.js";

const MAX_FILE_BYTES = 262_144;
const READ = "skill_read";

/** The skills of one agent, and the one that it follows. */
export interface AgentSkills extends SkillsPort {
  /** For the system prompt; empty where the agent has none. */
  readonly catalog: string;
  /** Takes from a conversation that goes on which skill was followed last. */
  readonly restore: (messages: readonly Message[]) => void;
  /** Why the skill that the agent follows does not let a call through; undefined where it does, and where none is followed. */
  readonly refuses: (tool: string, input: unknown) => Denial | undefined;
}

/**
 * The skills that a role names, or all where it names none. Reading a skill's instructions makes it the one that is followed, in the
 * place of the one before; its `allowed-tools` then narrow what the agent may call, and never widen it: the tokens are judged all
 * the same.
 */
export function agentSkills(
  all: ReadonlyMap<string, Skill>,
  named: readonly string[],
  maxTokens: number,
): AgentSkills {
  const own = new Map([...all].filter(([name]) => named.length === 0 || named.includes(name)));
  let followed: Skill | undefined;
  return {
    catalog: skillCatalog([...own.values()], maxTokens),
    read: async (name, file) => {
      const skill = own.get(name);
      if (skill === undefined) return failure("not_found", unknown(name, [...own.keys()]));
      if (file !== undefined) return readFileOf(skill, file);
      followed = skill;
      return { ok: true, value: instructionsOf(skill) };
    },
    restore: (messages) => {
      followed = own.get(lastRead(messages) ?? "");
    },
    refuses: (tool, input) => {
      const tools = followed?.allowed_tools ?? null;
      if (followed === undefined || tools === null || tool === READ) return undefined;
      if (allowsTool(tools, tool, input)) return undefined;
      const list = tools.length === 0 ? "no tool" : tools.join(", ");
      const message = `the skill ${followed.name}, which you follow, allows ${list}; read another skill to leave it`;
      return { layer: "policy", message };
    },
  };
}

/** The system prompt with the catalog of skills behind it. */
export function withSkills(prompt: string, { catalog }: AgentSkills): string {
  return catalog === "" ? prompt : `${prompt.trimEnd()}\n\n${catalog}\n`;
}

/** The skill whose instructions were read last, as the results tell. */
function lastRead(messages: readonly Message[]): string | undefined {
  const results = messages.flatMap((message) =>
    message.role === "tool" && message.tool === READ && !message.is_error ? [message.text] : [],
  );
  const read = results.map((text) => JSON.parse(text) as Partial<Record<string, unknown>>);
  const last = read.findLast(({ instructions }) => typeof instructions === "string");
  return typeof last?.["skill"] === "string" ? last["skill"] : undefined;
}

function instructionsOf({ name, instructions, files }: Skill): SkillText {
  return {
    skill: name,
    instructions: `<skill name="${name}">\n${instructions.trim()}\n</skill>`,
    reference_files: files,
  };
}

/** Only what the catalog found in the skill's folder; a link that was put there since is not followed. */
async function readFileOf(skill: Skill, file: string): Promise<PortResult<SkillText>> {
  if (!skill.files.includes(file)) {
    const has = skill.files.length === 0 ? "it has no files" : `it has ${skill.files.join(", ")}`;
    return failure(
      "not_found",
      `the skill ${skill.name} has no file ${JSON.stringify(file)}; ${has}`,
    );
  }
  try {
    const handle = await open(join(skill.dir, file), constants.O_RDONLY | constants.O_NOFOLLOW);
    try {
      const { size } = await handle.stat();
      if (size > MAX_FILE_BYTES) return failure("too_large", `${file} has ${size} bytes`);
      const content = await handle.readFile("utf8");
      return { ok: true, value: { skill: skill.name, file, content } };
    } finally {
      await handle.close();
    }
  } catch (thrown) {
    return failure("failed", `${file} cannot be read: ${errorText(thrown)}`);
  }
}

function unknown(name: string, known: readonly string[]): string {
  const near = suggest(name, known);
  const help = near === undefined ? `yours are ${known.join(", ")}` : `did you mean ${near}?`;
  return `there is no skill ${JSON.stringify(name)}; ${help}`;
}

function failure(kind: "not_found" | "too_large" | "failed", message: string): PortFailure {
  return { ok: false, kind, message };
}
