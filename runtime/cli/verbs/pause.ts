import type { ExitCode } from "../../protocol/error-code.js";
import { connectTo } from "../client.js";
import type { Command } from "../command.js";
import { checkId } from "../find.js";
import { printJson, printLine } from "../print.js";

/** No turn and no call of the run begins any more; what is under way ends. It stays paused over restarts, until it is resumed. */
export async function pause(command: Command, id: string): Promise<ExitCode> {
  const client = connectTo(command.places.socketPath);
  checkId(id);
  const { run_id } = await client.call("run.pause", { run_id: id });
  if (command.json) printJson(command, { paused: run_id });
  else printLine(command, `paused ${run_id}; go on with: agentd resume ${run_id.slice(-8)}`);
  return 0;
}

/** A paused run goes on where it stood. */
export async function resume(command: Command, id: string): Promise<ExitCode> {
  const client = connectTo(command.places.socketPath);
  checkId(id);
  const { run_id } = await client.call("run.resume", { run_id: id });
  if (command.json) printJson(command, { resumed: run_id });
  else printLine(command, `resumed ${run_id}`);
  return 0;
}
