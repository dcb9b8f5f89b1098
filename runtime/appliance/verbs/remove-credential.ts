import { existsSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { AgentdError } from "../../protocol/agentd-error.js";
import { syncDirectory } from "../../store/sync-directory.js";
import { credentialFiles } from "../credential-files.js";
import type { Verb } from "../verb.js";

/** Forgets a secret, in whatever form it lies; `unknown_id` where there is none of that name. */
export const removeCredential: Verb<"remove-credential"> = async ({ name }, { machine }) => {
  await Promise.resolve();
  const { plain, sealed } = credentialFiles(name);
  const removed = [plain, sealed].filter((file) => existsSync(machine.at(file)));
  if (removed.length === 0)
    throw new AgentdError("unknown_id", "remove credential", `there is no credential ${name}`, {
      hint: "`agentd doctor` names the credentials that are there.",
    });
  for (const file of removed) {
    rmSync(machine.at(file));
    syncDirectory(dirname(machine.at(file)));
  }
  return { removed };
};
