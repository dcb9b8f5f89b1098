import type { MemoryPort } from "../protocol/memory.js";
import type { SkillsPort } from "../protocol/skill.js";

const refuse = () => Promise.reject(new Error("not here"));

/** For tools that remember nothing and read no skill. */
export const NO_MEMORY: MemoryPort = { store: refuse, query: refuse, delete: refuse };
export const NO_SKILLS: SkillsPort = { read: refuse };
