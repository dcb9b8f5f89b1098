import { execFile } from "node:child_process";
import { readdirSync, writeFileSync } from "node:fs";
import { release } from "node:os";
import { promisify } from "node:util";
import { makeRedactor } from "../../audit/redact.js";
import { errorText } from "../../base/error-text.js";
import { readText } from "../../catalog/read-text.js";
import { AgentdError } from "../../protocol/agentd-error.js";
import type { DoctorCheck } from "../../protocol/control-results.js";
import type { Places } from "../../protocol/places.js";
import { VERSION } from "../../version.js";

const MAX_OUTPUT_BYTES = 4_194_304;

/**
 * Writes a report for support to `file`, mode 0600: versions, checks, the operator's settings, the names of the catalog's files and
 * the unit's last log lines. No secret is read for it, and whatever looks like one in a text is blanked.
 */
export async function writeBundle(
  file: string,
  places: Places,
  checks: readonly DoctorCheck[],
): Promise<void> {
  const report = {
    version: VERSION,
    node: process.version,
    kernel: release(),
    architecture: process.arch,
    time: new Date().toISOString(),
    places,
    checks,
    files: Object.fromEntries(
      [places.settingsFile, places.providersFile, places.policyFile, places.mcpServersFile].map(
        (path) => [path, textOf(path)],
      ),
    ),
    catalog: Object.fromEntries(
      [
        ...[places.vendorRolesDir, places.vendorSkillsDir, places.vendorManifestsDir],
        ...[places.operatorRolesDir, places.operatorSkillsDir, places.operatorManifestsDir],
      ].map((dir) => [dir, namesIn(dir)]),
    ),
    os_release: textOf("/etc/os-release"),
    unit: await output("systemctl", ["show", "agentd.service", "--property", UNIT_PROPERTIES]),
    log: await output("journalctl", [
      "-u",
      "agentd.service",
      "-n",
      "400",
      "--no-pager",
      "-o",
      "short-iso",
    ]),
  };
  const redact = makeRedactor([]);
  // Value by value: what a pattern blanks must not take the end of a JSON string with it.
  const text = JSON.stringify(
    report,
    (_key, value: unknown) => (typeof value === "string" ? redact(value) : value),
    2,
  );
  try {
    writeFileSync(file, `${text}\n`, { mode: 0o600, flag: "wx" });
  } catch (cause) {
    throw new AgentdError("usage", "doctor", `cannot write ${file}: ${errorText(cause)}`, {
      cause,
      hint: "Give --bundle a file that is not there yet, in a folder that you may write to.",
    });
  }
}

const UNIT_PROPERTIES =
  "ActiveState,SubState,Result,NRestarts,ExecMainStatus,MemoryCurrent,TasksCurrent";

function textOf(path: string): string | null {
  const read = readText(path);
  return read.ok ? read.text : read.absent ? null : `(${read.message})`;
}

function namesIn(dir: string): readonly string[] {
  try {
    return readdirSync(dir).sort();
  } catch {
    return [];
  }
}

/** What a program of the system prints; null where it is not there or may not be asked. */
async function output(program: string, args: readonly string[]): Promise<string | null> {
  try {
    const options = { timeout: 5_000, maxBuffer: MAX_OUTPUT_BYTES };
    return (await promisify(execFile)(program, args, options)).stdout;
  } catch {
    return null;
  }
}
