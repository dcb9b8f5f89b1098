import type { ExitCode } from "../../protocol/error-code.js";
import { connectTo } from "../client.js";
import type { Command } from "../command.js";
import { findRunOrAgent } from "../find.js";
import { printJson, printLine } from "../print.js";

/** No turn and no call of the run or agent begins any more; what is under way ends. It stays paused over restarts. */
export async function pause(command: Command, id: string): Promise<ExitCode> {
  const paused = await order(command, id, "pause");
  if (command.json) printJson(command, { paused });
  else printLine(command, `paused ${paused}; go on with: agentd resume ${paused.slice(-8)}`);
  return 0;
}

/** A paused run or agent goes on where it stood. */
export async function resume(command: Command, id: string): Promise<ExitCode> {
  const resumed = await order(command, id, "resume");
  if (command.json) printJson(command, { resumed });
  else printLine(command, `resumed ${resumed}`);
  return 0;
}

async function order(command: Command, id: string, how: "pause" | "resume"): Promise<string> {
  const client = connectTo(command.places.socketPath, command.heard);
  const found = await findRunOrAgent(client, id);
  if (found.type === "run") {
    const { run_id } = found.run;
    await client.call(`run.${how}`, { run_id });
    return run_id;
  }
  const { agent_id } = found.agent;
  await client.call(`agent.${how}`, { agent_id });
  return agent_id;
}
