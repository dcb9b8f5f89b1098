import { parseDuration } from "../../base/duration.js";
import { AgentdError } from "../../protocol/agentd-error.js";
import type { ExitCode } from "../../protocol/error-code.js";
import type { Command } from "../command.js";

export interface SystemConsoleOptions {
  readonly calm?: string;
  readonly key?: string;
}

/** The screen of the console. Needs a terminal. */
export async function systemConsole(
  command: Command,
  { calm, key }: SystemConsoleOptions,
): Promise<ExitCode> {
  const calmMs = calm === undefined ? undefined : parseDuration(calm);
  if (calm !== undefined && calmMs === undefined)
    throw new AgentdError("usage", "system console", `--calm ${calm} is no duration`, {
      hint: "As in --calm 60, in seconds, or --calm 5min.",
    });
  if (command.io.stdin.isTTY !== true || command.io.stdout.isTTY !== true)
    throw new AgentdError("usage", "system console", "there is no terminal to draw on", {
      hint: "It stands in the place of a login: getty@tty1.service. `agentd system status` tells the same.",
    });
  const { runConsole } = await import("../console/console.js");
  return runConsole(command, { calmMs, key });
}
