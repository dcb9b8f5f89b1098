import type { ControlDeps } from "../deps.js";
import type { CallHandler } from "../handler.js";

/** The skills that agents have, and those that disabled themselves. */
export function skillList({ skills }: ControlDeps): CallHandler<"skill.list"> {
  return () => {
    const catalog = skills();
    return {
      skills: [...catalog.skills.values()].map(({ instructions: _body, ...skill }) => skill),
      problems: catalog.problems.filter(({ file }) => file.endsWith("/SKILL.md")),
    };
  };
}
