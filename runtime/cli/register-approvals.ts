import { type Command as Commander, Option } from "commander";
import { type Act, ID_HELP } from "./run-verbs.js";
import type { ApproveOptions } from "./verbs/approvals.js";

/** What waits for an operator, and the answers to it. */
export function registerApprovals(program: Commander, act: Act): void {
  const approvals = program
    .command("approvals")
    .description("what waits for an operator: what, why, by which agent, what would be granted");
  approvals
    .command("list", { isDefault: true })
    .description("all that waits, oldest first")
    .action(() =>
      act(async (command) => (await import("./verbs/approvals.js")).approvalsList(command)),
    );
  program
    .command("approve")
    .description("grant what is asked, never more than policy.yaml allows")
    .argument("<ID>", ID_HELP)
    .option("--once", "for this call, or as much again of a budget (this is the default)")
    .addOption(new Option("--run", "until the run ends").conflicts("once"))
    .action((id: string, options: ApproveOptions) =>
      act(async (command) => (await import("./verbs/approvals.js")).approve(command, id, options)),
    );
  program
    .command("deny")
    .description("refuse what is asked; the agent is told")
    .argument("<ID>", ID_HELP)
    .option("--reason <TEXT>", "why, for the agent and the journal")
    .action((id: string, options: { reason?: string }) =>
      act(async (command) => (await import("./verbs/approvals.js")).deny(command, id, options)),
    );
}
