import type { ControlDeps } from "../deps.js";
import type { CallHandler } from "../handler.js";

/** Adds a skill, or replaces one that was added before; the next agent has it. */
export function skillAdd({ addSkill }: ControlDeps): CallHandler<"skill.add"> {
  return (upload) => addSkill(upload);
}
