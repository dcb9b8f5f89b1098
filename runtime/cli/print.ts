import type { Command } from "./command.js";
import { jsonLine } from "./plain-text.js";
import { type Cell, formatTable } from "./table.js";

/** One line on standard output. */
export function printLine({ io }: Command, text: string): void {
  io.stdout.write(`${text}\n`);
}

/** A result as one JSON document in one line. */
export function printJson(command: Command, value: unknown): void {
  printLine(command, jsonLine(value));
}

/** A table as wide as the terminal; unclipped where it is piped. */
export function printTable(
  { io, style }: Command,
  headings: readonly string[],
  rows: readonly (readonly Cell[])[],
): void {
  const columns = io.stdout.isTTY === true ? (io.stdout.columns ?? 80) : 0;
  io.stdout.write(formatTable(headings, rows, { style, columns }));
}

/** One line, waiting where its reader is slow: for what may be too long to be held. */
export async function printSteadily({ io }: Command, text: string): Promise<void> {
  if (io.stdout.write(`${text}\n`)) return;
  await new Promise<void>((resolve) => {
    const done = () => {
      io.stdout.off("drain", done);
      io.stdout.off("error", done);
      resolve();
    };
    io.stdout.on("drain", done);
    io.stdout.on("error", done);
  });
}
