import { formatDuration } from "../../base/duration.js";
import type { StepSummary } from "../../protocol/control.js";
import type { AgentReport, RunReport } from "../../protocol/control-results.js";
import { ERROR_CODES, type ExitCode } from "../../protocol/error-code.js";
import { budgetBar } from "../budget-bar.js";
import { connectTo } from "../client.js";
import type { Command } from "../command.js";
import { findRunOrAgent } from "../find.js";
import { formatTokens, formatUsage } from "../format.js";
import { formatToken } from "../format-token.js";
import { machineStatus } from "../machine-status.js";
import { plainLine, plainText } from "../plain-text.js";
import { printJson, printLine, printTable } from "../print.js";
import { stateTone } from "../state-tone.js";
import type { Cell } from "../table.js";

/** One run or agent with all that is known of it; without an id, the machine. */
export async function status(command: Command, id: string | undefined): Promise<ExitCode> {
  if (id === undefined) return machineStatus(command);
  const found = await findRunOrAgent(connectTo(command.places.socketPath, command.heard), id);
  if (command.json) {
    printJson(command, found.type === "run" ? { run: found.run } : { agent: found.agent });
  } else if (found.type === "run") printRun(command, found.run);
  else printAgent(command, found.agent);
  return 0;
}

function printRun(command: Command, run: RunReport): void {
  const { style } = command;
  printFields(command, [
    ["run", run.run_id],
    ["state", style[stateTone(run.state)](run.state)],
    ["paused", run.paused],
    ["recovered", run.recoveries === 0 ? null : times(run.recoveries)],
    ["goal", firstLine(run.goal)],
    ["submitted", `${run.submitted_at}${run.owner_uid === null ? "" : ` by uid ${run.owner_uid}`}`],
    ["time", elapsed(run.submitted_at, run.ended_at)],
    ["usage", formatUsage(run.usage)],
    ...run.budgets.map((line) => [line.label, budgetBar(line, style)] as const),
    ["confinement", confinement(run.confinement)],
    ["result", run.final_output],
    ["documents", run.documents.length > 1 ? run.documents.join(" ") : null],
    [
      "error",
      run.error === null ? null : style.bad(plainLine(`${run.error.message} (${run.error.kind})`)),
    ],
    ["next", nextStep(run)],
  ]);
  if (run.steps.length === 0) return;
  printLine(command, "");
  const headings = ["STEP", "ROLE", "STATE", "AFTER", "TIME", "TOKENS", "AGENT", "OUTPUT OR ERROR"];
  printTable(command, headings, run.steps.map(stepRow));
}

function times(recoveries: number): string {
  return `${recoveries === 1 ? "once" : `${recoveries} times`}, after a daemon had ended`;
}

function stepRow(step: StepSummary): readonly Cell[] {
  const { started_at, ended_at, usage, agent_id } = step;
  return [
    step.step_id,
    step.role,
    [step.state, stateTone(step.state)],
    step.depends_on.join(",") || "-",
    started_at === null ? "-" : elapsed(started_at, ended_at),
    formatTokens(usage.input_tokens + usage.output_tokens),
    agent_id === null ? "-" : agent_id.slice(-8),
    step.error ?? step.outputs.join(" "),
  ];
}

function printAgent(command: Command, agent: AgentReport): void {
  const { style } = command;
  printFields(command, [
    ["agent", agent.agent_id],
    ["state", style[stateTone(agent.state)](agent.state)],
    ["name", agent.name],
    ["model", agent.model],
    ["run", agent.run_id],
    ["step", agent.step_id],
    ["parent", agent.parent_agent],
    ["started", agent.started_at],
    ["time", elapsed(agent.started_at, agent.ended_at)],
    ["usage", formatUsage(agent.usage)],
    ...agent.budgets.map((line) => ["budget", budgetBar(line, style)] as const),
    ["confinement", confinement(agent.confinement)],
  ]);
  printLine(command, "");
  if (agent.tokens.length === 0) printLine(command, "No grants: it may touch nothing.");
  else printTable(command, ["GRANT", "USES", "STATE"], agent.tokens.map(tokenRow));
}

function tokenRow(token: AgentReport["tokens"][number]): readonly Cell[] {
  const uses =
    token.max_invocations === null ? `${token.uses}` : `${token.uses}/${token.max_invocations}`;
  const isExpired = token.expires_at !== null && token.expires_at <= Date.now();
  const state: Cell =
    token.revoked_at !== null ? ["revoked", "warn"] : isExpired ? ["expired", "warn"] : "held";
  return [formatToken(token), uses, state];
}

/** Named lines; one that has nothing to say is left out. */
function printFields(
  command: Command,
  fields: readonly (readonly [string, string | null])[],
): void {
  for (const [name, value] of fields) {
    if (value === null || value === "") continue;
    // Its own colours stay; what came from elsewhere was made plain before.
    printLine(command, `${command.style.dim(name.padEnd(12))} ${value.replaceAll("\n", " ")}`);
  }
}

function firstLine(goal: string): string {
  const [line = "", ...more] = plainText(goal).trim().split("\n");
  return more.length === 0 ? line : `${line} …`;
}

function confinement(layers: readonly string[] | null): string {
  if (layers === null) return "no tool call has ended yet";
  return layers.length === 0
    ? "none: nothing confines its tools"
    : layers.map(plainLine).join(", ");
}

function nextStep({ error, run_id }: RunReport): string | null {
  if (error === null || !Object.hasOwn(ERROR_CODES, error.kind)) return null;
  const { hint } = ERROR_CODES[error.kind as keyof typeof ERROR_CODES];
  return hint.replaceAll(/\bID\b/g, run_id);
}

function elapsed(from: string, until: string | null): string {
  const end = until === null ? Date.now() : Date.parse(until);
  return formatDuration(Math.max(0, end - Date.parse(from)));
}
