import type { Command as Commander } from "commander";
import type { Act } from "./run-verbs.js";
import type { AuditOptions } from "./verbs/audit.js";

/** The verbs of the audit trail. */
export function registerAudit(program: Commander, act: Act): void {
  const audit = program.command("audit").description("the journal of everything that happened");
  filtered(audit.command("tail").description("the newest events, then each as it happens"))
    .option("--limit <N>", "how many of the past (20)")
    .action((options: AuditOptions) =>
      act(async (command) => (await import("./verbs/audit.js")).auditTail(command, options)),
    );
  filtered(audit.command("query").description("events of the past"))
    .option("--limit <N>", "at most N, the newest (100)")
    .action((options: AuditOptions) =>
      act(async (command) => (await import("./verbs/audit.js")).auditQuery(command, options)),
    );
  filtered(audit.command("export").description("every event as one JSON object a line"))
    .option("-o, --output <FILE>", "write to FILE")
    .action((options: AuditOptions) =>
      act(async (command) => (await import("./verbs/audit.js")).auditExport(command, options)),
    );
  audit
    .command("verify")
    .description("find a changed, missing, reordered or truncated event")
    .option("--heads <FILE>", "compare with signed heads that the system's journal kept")
    .action((options: { heads?: string }) =>
      act(async (command) => (await import("./verbs/audit.js")).auditVerify(command, options)),
    );
}

function filtered(command: Commander): Commander {
  return command
    .option("--run <ID>", "of this run")
    .option("--agent <ID>", "of this agent")
    .option("--kind <KIND...>", "of these kinds")
    .option("--since <TIME>", "not before TIME")
    .option("--until <TIME>", "not after TIME");
}
