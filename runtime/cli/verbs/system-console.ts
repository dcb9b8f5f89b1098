import { AgentdError } from "../../protocol/agentd-error.js";
import type { ExitCode } from "../../protocol/error-code.js";
import type { Command } from "../command.js";

/** The screen of the console. Needs a terminal. */
export async function systemConsole(command: Command): Promise<ExitCode> {
  if (command.io.stdin.isTTY !== true || command.io.stdout.isTTY !== true)
    throw new AgentdError("usage", "system console", "there is no terminal to draw on", {
      hint: "It stands in the place of a login: getty@tty1.service. `agentd system status` tells the same.",
    });
  const { runConsole } = await import("../console/console.js");
  return runConsole(command);
}
