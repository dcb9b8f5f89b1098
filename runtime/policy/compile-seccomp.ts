import type { ConfinementPlan, SeccompArch, SeccompPlan } from "../protocol/confinement.js";
import { FILES_RULES } from "./syscalls/files.js";
import { programRules, webRules } from "./syscalls/program.js";
import { seccompPlan } from "./syscalls/rules.js";

/**
 * The table of allowed system calls for a kind of process. Without `network` there is no socket of any family. Without `watching` no
 * inotify: it tells the names in a directory to whoever may enter it, which Landlock has no right for.
 */
export function compileSeccomp(
  kind: ConfinementPlan["kind"],
  may: { readonly network: boolean; readonly watching: boolean },
  arch: SeccompArch,
): SeccompPlan {
  switch (kind) {
    case "files":
      return seccompPlan(FILES_RULES, arch);
    case "web":
      return seccompPlan(webRules(), arch);
    case "program": {
      const rules = programRules({ network: may.network });
      const unwatched = rules.map((rule) =>
        rule.name === "inotify_add_watch" ? { ...rule, action: "EPERM" as const } : rule,
      );
      return seccompPlan(may.watching ? rules : unwatched, arch);
    }
  }
}
