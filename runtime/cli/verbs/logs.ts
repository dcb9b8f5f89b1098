import type { ExitCode } from "../../protocol/error-code.js";
import { allEvents } from "../all-events.js";
import { type Client, connectTo } from "../client.js";
import type { Command } from "../command.js";
import { findRunOrAgent } from "../find.js";
import { followRun } from "../follow-run.js";
import { jsonView, lineView } from "../line-view.js";

interface LogsOptions {
  readonly follow?: boolean;
  readonly verbose?: boolean;
}

/** What has happened in a run or to an agent; with `-f` goes on until it has ended, and exits as it ended. */
export async function logs(command: Command, id: string, options: LogsOptions): Promise<ExitCode> {
  const client = connectTo(command.places.socketPath, command.heard);
  const found = await findRunOrAgent(client, id);
  const { follow = false, verbose = false } = options;
  if (found.type === "agent") {
    return logsOfAgent(command, client, found.agent.agent_id, { follow, verbose });
  }
  const runId = found.run.run_id;
  if (follow) return followRun(command, client, { runId, as: verbose ? "events" : "lines" });
  const view = command.json ? jsonView(command) : lineView(command, verbose);
  for await (const event of allEvents(client, { run_id: runId }, command.signal)) {
    view.show({ kind: "event", event });
  }
  return 0;
}

async function logsOfAgent(
  command: Command,
  client: Client,
  agentId: string,
  { follow, verbose }: { readonly follow: boolean; readonly verbose: boolean },
): Promise<ExitCode> {
  const view = command.json ? jsonView(command) : lineView(command, verbose);
  const leave = new AbortController();
  const onInterrupt = () => leave.abort();
  command.io.signals.on("SIGINT", onInterrupt);
  try {
    const params = { agent_id: agentId, follow };
    const signal = AbortSignal.any([leave.signal, command.signal]);
    for await (const frame of client.stream("agent.logs_streaming", params, signal)) {
      view.show(frame);
      if (frame.kind === "end") return frame.exit_code === 0 ? 0 : 1;
    }
    return 0;
  } finally {
    command.io.signals.off("SIGINT", onInterrupt);
  }
}
