import { writeFileSync } from "node:fs";
import { release } from "node:os";
import { resolve } from "node:path";
import { errorText } from "../../base/error-text.js";
import { AgentdError } from "../../protocol/agentd-error.js";
import type { DoctorCheck } from "../../protocol/control-results.js";
import type { ExitCode } from "../../protocol/error-code.js";
import { VERSION } from "../../version.js";
import { connectTo } from "../client.js";
import type { Command } from "../command.js";
import { hostChecks } from "../host-checks.js";
import { plainLine } from "../plain-text.js";
import { printJson, printLine } from "../print.js";

const MARKS = { ok: ["✓", "good"], warn: ["!", "warn"], fail: ["✗", "bad"] } as const;

/** What works and what does not on this host, with or without a daemon. Exit code 1 where a check fails. */
export async function doctor(
  command: Command,
  { bundle }: { readonly bundle?: string },
): Promise<ExitCode> {
  const ofDaemon = await daemonChecks(command);
  // What the daemon says of the same thing counts: it is the one that works with it.
  const known = new Set(ofDaemon.map(({ name }) => name));
  const ofHost = hostChecks(command.places).filter(({ name }) => !known.has(name));
  const checks = [...ofHost, ...ofDaemon];
  const ok = checks.every(({ verdict }) => verdict !== "fail");
  if (bundle !== undefined) saveBundle(command, resolve(command.io.cwd, bundle), checks);
  if (command.json) printJson(command, { ok, checks });
  else for (const check of checks) printCheck(command, check);
  return ok ? 0 : 1;
}

function printCheck(command: Command, { name, verdict, detail, remedy }: DoctorCheck): void {
  const [mark, tone] = MARKS[verdict];
  const { style } = command;
  printLine(command, `${style[tone](mark)} ${plainLine(name).padEnd(14)} ${plainLine(detail)}`);
  if (remedy !== null) printLine(command, `  ${" ".repeat(14)} ${style.dim(plainLine(remedy))}`);
}

/** What the daemon knows of itself; that it cannot be asked is a finding like any other. */
async function daemonChecks(command: Command): Promise<readonly DoctorCheck[]> {
  const client = connectTo(command.places.socketPath);
  try {
    const status = await client.call("system.status", {});
    const differs = status.version !== VERSION;
    const answers: DoctorCheck = {
      name: "daemon",
      verdict: differs ? "warn" : "ok",
      detail: `agentd ${status.version} answers on ${command.places.socketPath}, pid ${status.pid}`,
      remedy: differs ? `This program is ${VERSION}: restart the daemon after an upgrade.` : null,
    };
    return [answers, ...(await client.call("system.doctor", {})).checks];
  } catch (thrown) {
    if (!(thrown instanceof AgentdError)) throw thrown;
    if (thrown.code === "not_permitted") {
      const detail = "agentd answers; what it says of itself is for operators in group aaos-admin";
      return [{ name: "daemon", verdict: "warn", detail, remedy: thrown.hint }];
    }
    return [{ name: "daemon", verdict: "fail", detail: thrown.message, remedy: thrown.hint }];
  }
}

/** Everything above, for a report to support. It names files and versions, and holds no file's content and no key. */
function saveBundle({ places }: Command, file: string, checks: readonly DoctorCheck[]): void {
  const report = {
    version: VERSION,
    node: process.version,
    kernel: release(),
    architecture: process.arch,
    places,
    checks,
  };
  try {
    writeFileSync(file, `${JSON.stringify(report, null, 2)}\n`, { mode: 0o600 });
  } catch (cause) {
    throw new AgentdError("usage", "doctor", `cannot write ${file}: ${errorText(cause)}`, {
      cause,
      hint: "Give --bundle a file in a folder that you may write to.",
    });
  }
}
