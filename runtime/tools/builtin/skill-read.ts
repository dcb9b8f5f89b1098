import { z } from "zod";
import { toolOutput } from "../../protocol/tool-call.js";
import { defineTool } from "../define-tool.js";
import { fromPort } from "../from-port.js";

/** Gives a skill's instructions, or a file beside them. Every agent may: skills are written for agents, and permit nothing. */
export const skillRead = defineTool({
  name: "skill_read",
  description:
    "Reads the instructions of a skill, with the names of its files, or one of these files. From then on you follow that skill, and " +
    "where it names the tools that it allows, only those can be called until you read another.",
  input: z.strictObject({
    skill_name: z.string().min(1).max(64),
    file: z.string().min(1).max(512).optional(),
  }),
  read_only: true,
  implied_by: [],
  open: true,
  run: async ({ skill_name, file }, { skills }) => {
    const read = await skills.read(skill_name, file);
    if (!read.ok) return fromPort(read);
    if ("file" in read.value) return toolOutput({ ...read.value });
    return toolOutput({ ...read.value, reference_files: [...read.value.reference_files] });
  },
});
