import type { SkillReport } from "../protocol/skill.js";
import type { FileProblem } from "./file-problem.js";

const MAX_LINES = 500;
/** Of about four bytes. */
const MAX_TOKENS = 5_000;
const LINK = /\]\(([^)#\s]+)\)/g;

/** What the specification advises and does not demand: a short body, and references that are there, one level deep. */
export function skillAdvice(
  { instructions, files }: SkillReport & { readonly instructions: string },
  file: string,
  firstLine: number,
): readonly FileProblem[] {
  const say = (line: number, message: string, hint: string | null): FileProblem => ({
    ...{ file, line, column: 1, field: "", message, hint },
  });
  const lines = instructions.split("\n");
  const tokens = Math.ceil(Buffer.byteLength(instructions) / 4);
  const long =
    lines.length > MAX_LINES || tokens > MAX_TOKENS
      ? [
          say(
            firstLine,
            `has ${lines.length} lines and about ${tokens} tokens of instructions`,
            `keep them below ${MAX_LINES} lines and ${MAX_TOKENS} tokens; put what is needed seldom into references/`,
          ),
        ]
      : [];
  const links = lines.flatMap((text, i) =>
    [...text.matchAll(LINK)].flatMap(([, target = ""]) => {
      if (/^[a-z][a-z0-9+.-]*:/i.test(target) || target.startsWith("/")) return [];
      if (files.includes(target)) {
        return target.split("/").length > 2
          ? [say(firstLine + i, `refers to ${target}, more than one level deep`, null)]
          : [];
      }
      return [say(firstLine + i, `refers to ${target}, which is not there`, null)];
    }),
  );
  return [...long, ...links];
}
