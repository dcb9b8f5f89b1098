import { formatDuration } from "../../base/duration.js";
import type { ExitCode } from "../../protocol/error-code.js";
import { connectTo } from "../client.js";
import type { Command } from "../command.js";
import { printJson, printLine } from "../print.js";
import { printChecks } from "../print-checks.js";

/**
 * Whether this machine carries goals out as it should: the daemon does it, with the builtin provider. Exit code 0 is a healthy
 * machine, 1 one that is not, 3 one whose daemon cannot be asked.
 */
export async function selftest(command: Command): Promise<ExitCode> {
  const client = connectTo(command.places.socketPath, command.heard);
  const report = await client.call("system.selftest", {}, command.signal);
  if (command.json) printJson(command, report);
  else {
    printChecks(command, report.checks);
    const failed = report.checks.filter(({ verdict }) => verdict === "fail").length;
    const verdict = report.ok
      ? "this machine is well"
      : `${failed} of ${report.checks.length} failed`;
    printLine(command, `${verdict}, in ${formatDuration(report.elapsed_ms)}`);
  }
  return report.ok ? 0 : 1;
}
