import type { DoctorCheck } from "../protocol/control-results.js";
import type { Command } from "./command.js";
import { plainLine } from "./plain-text.js";
import { printLine } from "./print.js";

const MARKS = { ok: ["✓", "good"], warn: ["!", "warn"], fail: ["✗", "bad"] } as const;

/** A line for each check, its remedy below it. Names are padded to the longest. */
export function printChecks(command: Command, checks: readonly DoctorCheck[]): void {
  const { style } = command;
  const columns = Math.max(0, ...checks.map(({ name }) => name.length));
  for (const { name, verdict, detail, remedy } of checks) {
    const [mark, tone] = MARKS[verdict];
    const told = plainLine(name).padEnd(columns);
    printLine(command, `${style[tone](mark)} ${told}  ${plainLine(detail)}`);
    if (remedy !== null)
      printLine(command, `  ${" ".repeat(columns)}  ${style.dim(plainLine(remedy))}`);
  }
}
