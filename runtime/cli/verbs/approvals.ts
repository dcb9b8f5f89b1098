import { formatDuration } from "../../base/duration.js";
import type { ApprovalScope, ApprovalSummary } from "../../protocol/approval.js";
import type { ExitCode } from "../../protocol/error-code.js";
import { connectTo } from "../client.js";
import type { Command } from "../command.js";
import { checkId } from "../find.js";
import { shortId } from "../format.js";
import { plainLine } from "../plain-text.js";
import { printJson, printLine } from "../print.js";

/** What waits for an operator: what, why, by which agent, and exactly what would be granted. */
export async function approvalsList(command: Command): Promise<ExitCode> {
  const { pending } = await connectTo(command.places.socketPath, command.heard).call(
    "approval.list",
    {},
  );
  if (command.json) {
    printJson(command, { pending });
    return 0;
  }
  if (pending.length === 0) printLine(command, "Nothing waits for approval.");
  for (const approval of pending)
    for (const line of lines(approval, command)) printLine(command, line);
  return 0;
}

function lines(approval: ApprovalSummary, { style }: Command): readonly string[] {
  const { id, run_id, step_id, agent_id, agent_name, description, tool, capability } = approval;
  const fields: readonly (readonly [string, string | null])[] = [
    ["why", description],
    ["tool", tool],
    ["input", JSON.stringify(approval.input)],
    ["grants", capability],
    ["agent", agent_id === null ? null : `${agent_name ?? "?"} ${shortId(agent_id)}`],
    [
      "run",
      run_id === null ? null : `${shortId(run_id)}${step_id === null ? "" : ` step ${step_id}`}`,
    ],
    ["until", `${approval.expires_at} (${left(approval)}), then it is denied`],
    [
      "answer",
      `agentd approve ${shortId(id)} [--once|--run]   agentd deny ${shortId(id)} [--reason TEXT]`,
    ],
  ];
  return [
    style.bold(id),
    ...fields.flatMap(([name, value]) =>
      value === null ? [] : [`  ${style.dim(name.padEnd(7))} ${plainLine(value)}`],
    ),
  ];
}

function left({ expires_at }: ApprovalSummary): string {
  return formatDuration(Math.max(0, Date.parse(expires_at) - Date.now()));
}

export interface ApproveOptions {
  readonly once?: boolean;
  readonly run?: boolean;
}

/** Grants what is asked: for this once, or until the run ends. */
export async function approve(
  command: Command,
  id: string,
  options: ApproveOptions,
): Promise<ExitCode> {
  checkId(id);
  const scope: ApprovalScope = options.run === true ? "run" : "once";
  const client = connectTo(command.places.socketPath, command.heard);
  const answered = await client.call("approval.respond", { id, decision: "approve", scope });
  if (command.json) printJson(command, { approved: answered.id, scope });
  else printLine(command, `approved ${answered.id} ${scope === "run" ? "for the run" : "once"}`);
  return 0;
}

export async function deny(
  command: Command,
  id: string,
  { reason }: { readonly reason?: string },
): Promise<ExitCode> {
  checkId(id);
  const client = connectTo(command.places.socketPath, command.heard);
  const why = reason === undefined ? {} : { reason };
  const answered = await client.call("approval.respond", { id, decision: "deny", ...why });
  if (command.json) printJson(command, { denied: answered.id });
  else printLine(command, `denied ${answered.id}`);
  return 0;
}
