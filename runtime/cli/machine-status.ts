import type { DaemonStatus } from "../protocol/control-results.js";
import type { ExitCode } from "../protocol/error-code.js";
import { budgetBar } from "./budget-bar.js";
import { connectTo } from "./client.js";
import type { Command } from "./command.js";
import { plainLine } from "./plain-text.js";
import { printJson, printLine, printTable } from "./print.js";

/** The machine: what runs, the day's budgets, and how its models answer. */
export async function machineStatus(command: Command): Promise<ExitCode> {
  const status = await connectTo(command.places.socketPath, command.heard).call(
    "system.status",
    {},
  );
  if (command.json) printJson(command, { machine: status });
  else print(command, status);
  return 0;
}

function print(command: Command, status: DaemonStatus): void {
  const { style } = command;
  const field = (name: string, value: string) =>
    printLine(command, `${style.dim(name.padEnd(12))} ${value}`);
  field("agentd", `${status.version}, pid ${status.pid}, since ${status.started_at}`);
  field("provider", plainLine(status.default_provider));
  field("now", `${status.runs_active} runs, ${status.agents_active} agents`);
  for (const line of status.budgets) field("day", budgetBar(line, style));
  for (const { provider, slots, under_way, waiting, held_until } of status.providers) {
    const held = held_until === null ? "" : `, left alone until ${held_until}`;
    field(
      "calls",
      `${plainLine(provider)}: ${under_way} of ${slots} slots, ${waiting} waiting${held}`,
    );
  }
  if (status.models.length === 0) return;
  printLine(command, "");
  const headings = ["MODEL", "PROVIDER", "CALLS", "P50", "P95"];
  const rows = status.models.map(({ model, provider, calls, p50_ms, p95_ms }) => [
    ...[model, provider, String(calls)],
    ...[`${p50_ms} ms`, `${p95_ms} ms`],
  ]);
  printTable(command, headings, rows);
}
