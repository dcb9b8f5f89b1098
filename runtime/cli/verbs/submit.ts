import type { ExitCode } from "../../protocol/error-code.js";
import { connectTo } from "../client.js";
import type { Command } from "../command.js";
import { followRun } from "../follow-run.js";
import { jsonLine } from "../plain-text.js";
import { readGoal } from "../read-goal.js";
import { type RunOptions, runRequest } from "../run-request.js";

export interface SubmitOptions extends RunOptions {
  readonly file?: string;
  readonly detach?: boolean;
  readonly verbose?: boolean;
}

/** Carries a goal out and shows it; with `--detach` prints the run's id and leaves. */
export async function submit(
  command: Command,
  words: readonly string[],
  options: SubmitOptions,
): Promise<ExitCode> {
  const goal = await readGoal(command, words, options.file);
  const client = connectTo(command.places.socketPath, command.heard);
  const request = await runRequest(client, goal, options);
  const { run_id: runId } = await client.call("run.submit", request);
  if (options.detach === true) {
    command.io.stdout.write(command.json ? `${jsonLine({ run_id: runId })}\n` : `${runId}\n`);
    return 0;
  }
  return followRun(command, client, {
    runId,
    as: options.verbose === true ? "events" : "picture",
  });
}
