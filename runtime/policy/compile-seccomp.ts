import type { ConfinementPlan, SeccompArch, SeccompPlan } from "../protocol/confinement.js";
import { FILES_RULES } from "./syscalls/files.js";
import { programRules, webRules } from "./syscalls/program.js";
import { seccompPlan } from "./syscalls/rules.js";

/** The table of allowed system calls for a kind of process. Without `network` there is no socket of any family. */
export function compileSeccomp(
  kind: ConfinementPlan["kind"],
  network: boolean,
  arch: SeccompArch,
): SeccompPlan {
  switch (kind) {
    case "files":
      return seccompPlan(FILES_RULES, arch);
    case "web":
      return seccompPlan(webRules(), arch);
    case "program":
      return seccompPlan(programRules({ network }), arch);
  }
}
