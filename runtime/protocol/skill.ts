import { z } from "zod";
import type { PortResult } from "./ports.js";

/** A skill's name: agentskills.io, "Specification". Equal to its folder's. */
export const SkillName = z
  .string()
  .max(64, "is longer than 64 characters")
  .regex(
    /^[a-z0-9]+(-[a-z0-9]+)*$/,
    "takes lower-case letters, digits and single hyphens between them",
  );

/** The frontmatter of SKILL.md, field for field. */
export const SkillFrontmatter = z.strictObject({
  name: SkillName,
  description: z
    .string()
    .max(1_024, "is longer than 1024 characters")
    .refine((text) => text.trim() !== "", "must not be empty"),
  license: z.string().optional(),
  compatibility: z.string().min(1).max(500, "is longer than 500 characters").optional(),
  metadata: z.record(z.string(), z.string()).optional(),
  /** Tools, separated by spaces; a list is tolerated. */
  "allowed-tools": z.union([z.string(), z.array(z.string())]).optional(),
});
export type SkillFrontmatter = z.infer<typeof SkillFrontmatter>;

const SKILL_ORIGINS = ["vendor", "operator", "added"] as const;

/** A skill of the catalog, without its body. */
export const SkillReport = z.strictObject({
  name: SkillName,
  description: z.string(),
  license: z.string().nullable(),
  compatibility: z.string().nullable(),
  metadata: z.record(z.string(), z.string()),
  /** What an agent may call while it follows the skill; null where the skill does not say. */
  allowed_tools: z.array(z.string()).nullable(),
  /** Paths below its folder. */
  files: z.array(z.string()),
  dir: z.string(),
  origin: z.enum(SKILL_ORIGINS),
});
export type SkillReport = z.infer<typeof SkillReport>;

/** A skill with its instructions, as `skill_read` gives them. */
export type SkillText =
  | {
      readonly skill: string;
      readonly instructions: string;
      readonly reference_files: readonly string[];
    }
  | { readonly skill: string; readonly file: string; readonly content: string };

/** One agent's way to its skills. */
export interface SkillsPort {
  /** The instructions, or one file beside them. Reading the instructions makes the skill the one that the agent follows. */
  readonly read: (skillName: string, file: string | undefined) => Promise<PortResult<SkillText>>;
}
