import type { ExitCode } from "../../protocol/error-code.js";
import { connectTo } from "../client.js";
import type { Command } from "../command.js";
import { findRunOrAgent } from "../find.js";
import { printJson, printLine } from "../print.js";

/** Ends a run or an agent with all that belongs to it; comes back when nothing of it is left. */
export async function stop(command: Command, id: string): Promise<ExitCode> {
  const client = connectTo(command.places.socketPath, command.heard);
  const found = await findRunOrAgent(client, id);
  const whole = found.type === "run" ? found.run.run_id : found.agent.agent_id;
  if (found.type === "run") await client.call("run.cancel", { run_id: whole });
  else await client.call("agent.stop", { agent_id: whole });
  if (command.json) printJson(command, { stopped: whole });
  else printLine(command, `stopped ${whole}`);
  return 0;
}
