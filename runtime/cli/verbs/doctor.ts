import { resolve } from "node:path";
import { writeBundle } from "../../appliance/doctor/bundle.js";
import { secretModeChecks } from "../../appliance/doctor/credential-checks.js";
import { fileChecks } from "../../appliance/doctor/file-checks.js";
import { AgentdError } from "../../protocol/agentd-error.js";
import type { DoctorCheck } from "../../protocol/control-results.js";
import type { ExitCode } from "../../protocol/error-code.js";
import { VERSION } from "../../version.js";
import { connectTo } from "../client.js";
import type { Command } from "../command.js";
import { printJson, printLine } from "../print.js";
import { printChecks } from "../print-checks.js";

/**
 * What works and what does not on this host. The daemon tells of the machine as it is for agents; without one this process looks
 * for itself. Exit code 1 where a check fails.
 */
export async function doctor(
  command: Command,
  { bundle }: { readonly bundle?: string },
): Promise<ExitCode> {
  const { places, io } = command;
  const checks = [
    ...(await machineChecks(command)),
    ...fileChecks(places),
    ...secretModeChecks(places.credentialsDir),
  ];
  const ok = checks.every(({ verdict }) => verdict !== "fail");
  const file = bundle === undefined ? null : resolve(io.cwd, bundle);
  if (file !== null) await writeBundle(file, places, checks);
  if (command.json) printJson(command, { ok, checks, bundle: file });
  else {
    printChecks(command, checks);
    if (file !== null)
      printLine(command, `The report for support is ${file}; read it before you send it.`);
  }
  return ok ? 0 : 1;
}

/** What the daemon knows of the machine. That it cannot be asked is a finding like any other. */
async function machineChecks({ places, io, signal }: Command): Promise<readonly DoctorCheck[]> {
  const client = connectTo(places.socketPath);
  try {
    const status = await client.call("system.status", {});
    const differs = status.version !== VERSION;
    const answers: DoctorCheck = {
      name: "daemon",
      verdict: differs ? "warn" : "ok",
      detail: `agentd ${status.version} answers on ${places.socketPath}, pid ${status.pid}`,
      remedy: differs ? `This program is ${VERSION}: restart the daemon after an upgrade.` : null,
    };
    return [answers, ...(await client.call("system.doctor", {})).checks];
  } catch (thrown) {
    if (!(thrown instanceof AgentdError)) throw thrown;
    const { code, message, hint } = thrown;
    if (code === "not_permitted") {
      const detail = "agentd answers; what it says of itself is for operators in group aaos-admin";
      return [{ name: "daemon", verdict: "warn", detail, remedy: hint }];
    }
    const silent: DoctorCheck = { name: "daemon", verdict: "fail", detail: message, remedy: hint };
    return [silent, ...(await io.probeHost(places, signal))];
  }
}
