import type { DrawnLine } from "./draw-run.js";
import type { Output } from "./io.js";

// Terminals that know synchronized output show a painting all at once; others ignore these.
const BEGIN = "\u001b[?2026h";
const END = "\u001b[?2026l";
const CLEAR_LINE = "\u001b[K";
const CLEAR_BELOW = "\u001b[J";

/**
 * Paints lines over those painted before, in one write and without clearing first, so that nothing flickers. Lines must be
 * narrower than the terminal. After it the cursor is below the last line, so that whatever is printed next stands there.
 */
export function repainter(output: Output): (lines: readonly DrawnLine[]) => void {
  let painted: readonly DrawnLine[] = [];
  return (lines) => {
    const up = rowsOf(painted, output.columns ?? 80);
    const start = up === 0 ? "" : `\r\u001b[${up}A`;
    const text = lines.map((line) => `${line.text}${CLEAR_LINE}\n`).join("");
    output.write(`${BEGIN}${start}${text}${CLEAR_BELOW}${END}`);
    painted = lines;
  };
}

/** Rows that the lines take now: a terminal made narrower has wrapped them. */
function rowsOf(lines: readonly DrawnLine[], columns: number): number {
  return lines.reduce((rows, { width }) => rows + Math.max(1, Math.ceil(width / columns)), 0);
}
