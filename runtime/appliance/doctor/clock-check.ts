import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { DoctorCheck } from "../../protocol/control-results.js";
import { bad, good, poor } from "./check.js";

/** No machine that runs this can be in a year before it was written. */
const EARLIEST = Date.parse("2026-01-01T00:00:00Z");

/** Whether the clock can be right, and whether something keeps it so. Certificates and schedules hang on it. */
export async function clockCheck(now: number): Promise<DoctorCheck> {
  const time = new Date(now).toISOString().replace(/\.\d+Z$/, "Z");
  if (now < EARLIEST)
    return bad(
      "clock",
      `${time} cannot be right`,
      "Set it: timedatectl set-time 'YYYY-MM-DD hh:mm'.",
    );
  const synchronised = await isSynchronised();
  if (synchronised === undefined) return good("clock", `${time}; who keeps it is not told here`);
  if (synchronised) return good("clock", `${time}, synchronised`);
  return poor(
    "clock",
    `${time}, not synchronised`,
    "Let the network keep it: timedatectl set-ntp true.",
  );
}

/** As timedated tells; undefined where there is none to ask. */
async function isSynchronised(): Promise<boolean | undefined> {
  try {
    const args = ["show", "--property=NTPSynchronized", "--value"];
    const { stdout } = await promisify(execFile)("timedatectl", args, { timeout: 3_000 });
    const said = stdout.trim();
    return said === "yes" ? true : said === "no" ? false : undefined;
  } catch {
    return undefined;
  }
}
