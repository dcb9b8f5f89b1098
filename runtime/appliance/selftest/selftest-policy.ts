import { PolicyFile } from "../../protocol/policy-file.js";
import { Role } from "../../protocol/role.js";

/**
 * The ceiling of a selftest, in place of the operator's: the run's own workspace, the one server on loopback, the one program. It is
 * made here and nowhere else; nobody who asks for a selftest can say a word about it.
 */
export function selftestPolicy(open: string): PolicyFile {
  return PolicyFile.parse({
    read: { allow: [] },
    write: { allow: [] },
    network: { allow: [open] },
    exec: { allow: ["node"] },
  });
}

export const ATTEMPTER = "selftest";

/** Who makes the attempts: it holds its workspace, the one server and the one program, so that each refusal is of something else. */
export function attempterRole(open: string): Role {
  return Role.parse({
    name: ATTEMPTER,
    model: ATTEMPTER,
    system_prompt: "Tries what must be refused.",
    message_template: "Try it, in {workspace}.",
    parameters: { workspace: { type: "path", required: true } },
    capabilities: [
      "file_read: {workspace}/*",
      "file_write: {workspace}/*",
      "exec: node",
      `network: ${open}`,
    ],
    budget: { max_wall_clock_s: 60 },
  });
}
