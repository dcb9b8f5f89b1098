import { formatDuration } from "../../base/duration.js";
import type { AgentSummary, RunSummary } from "../../protocol/control.js";
import type { ExitCode } from "../../protocol/error-code.js";
import { connectTo } from "../client.js";
import type { Command } from "../command.js";
import { formatTokens, formatUsd, shortId } from "../format.js";
import { printJson, printLine, printTable } from "../print.js";
import { stateTone } from "../state-tone.js";
import type { Cell } from "../table.js";

/** Runs and agents now; with `--all` those that ended, too. */
export async function list(
  command: Command,
  { all = false }: { readonly all?: boolean },
): Promise<ExitCode> {
  const client = connectTo(command.places.socketPath, command.heard);
  const [{ runs }, { agents }] = await Promise.all([
    client.call("run.list", { all }),
    client.call("agent.list", { all }),
  ]);
  if (command.json) {
    printJson(command, { runs, agents });
    return 0;
  }
  if (runs.length === 0 && agents.length === 0) {
    printLine(
      command,
      all ? "No runs yet." : "Nothing is running. `agentd list --all` shows what has ended.",
    );
    return 0;
  }
  if (runs.length > 0) {
    const headings = ["RUN", "STATE", "STEPS", "TIME", "TOKENS", "COST", "GOAL"];
    printTable(command, headings, runs.map(runRow));
  }
  if (agents.length > 0) {
    if (runs.length > 0) printLine(command, "");
    const headings = ["AGENT", "STATE", "TIME", "TOKENS", "RUN", "STEP", "MODEL", "NAME"];
    printTable(command, headings, agents.map(agentRow));
  }
  return 0;
}

function runRow(run: RunSummary): readonly Cell[] {
  return [
    shortId(run.run_id),
    [run.state, stateTone(run.state)],
    run.steps_total === 0 ? "-" : `${run.steps_done}/${run.steps_total}`,
    age(run.submitted_at, run.ended_at),
    tokens(run),
    formatUsd(run.usage.usd),
    run.goal,
  ];
}

function agentRow(agent: AgentSummary): readonly Cell[] {
  return [
    shortId(agent.agent_id),
    [agent.state, stateTone(agent.state)],
    age(agent.started_at, agent.ended_at),
    tokens(agent),
    agent.run_id === null ? "-" : shortId(agent.run_id),
    agent.step_id ?? "-",
    agent.model,
    agent.name,
  ];
}

function tokens({ usage }: RunSummary | AgentSummary): string {
  return formatTokens(usage.input_tokens + usage.output_tokens);
}

function age(from: string, until: string | null): string {
  const end = until === null ? Date.now() : Date.parse(until);
  return formatDuration(Math.max(0, end - Date.parse(from)));
}
