import type { SkillReport } from "../protocol/skill.js";

type Entry = Pick<SkillReport, "name" | "description">;

const HEAD =
  "## Skills\n\nInstructions for kinds of work. Where one fits your task, read it with skill_read{skill_name} before you begin, and follow it. " +
  "It may name files; read those with skill_read{skill_name, file} when they are needed. Skills give no permission: your tools decide.\n";
const SHORTEST = 24;

/** About how many tokens a text is. */
function tokensOf(text: string): number {
  return Math.ceil(Buffer.byteLength(text) / 4);
}

/**
 * The first tier of skills, for a system prompt: a line each, at most about `maxTokens`. Where they do not fit, descriptions are cut to
 * one length, then left out, and at last the end of the list is told by its number. Empty where there is none.
 */
export function skillCatalog(skills: readonly Entry[], maxTokens: number): string {
  if (skills.length === 0) return "";
  const whole = textOf(skills, Number.POSITIVE_INFINITY);
  if (tokensOf(whole) <= maxTokens) return whole;
  let length = Math.max(...skills.map(({ description }) => description.length));
  while (length > SHORTEST && tokensOf(textOf(skills, length)) > maxTokens) {
    length = Math.floor(length * 0.9);
  }
  const cut = textOf(skills, length > SHORTEST ? length : 0);
  if (tokensOf(cut) <= maxTokens) return cut;
  let count = skills.length;
  while (count > 0 && tokensOf(namesOf(skills, count)) > maxTokens) count -= 1;
  return count === 0 ? "" : namesOf(skills, count);
}

function textOf(skills: readonly Entry[], length: number): string {
  const lines = skills.map(({ name, description }) => {
    const text = oneLine(description);
    if (length === 0) return `- ${name}`;
    return `- ${name}: ${text.length <= length ? text : `${text.slice(0, length - 1)}…`}`;
  });
  return [HEAD, ...lines].join("\n");
}

function namesOf(skills: readonly Entry[], count: number): string {
  const lines = skills.slice(0, count).map(({ name }) => `- ${name}`);
  const left = skills.length - count;
  return [HEAD, ...lines, ...(left === 0 ? [] : [`… and ${left} more`])].join("\n");
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, " ");
}
