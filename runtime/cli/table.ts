import { clipColumns, displayWidth, fitColumns } from "./display-width.js";
import { plainLine } from "./plain-text.js";
import type { Style } from "./style.js";

const GAP = "  ";

/** How a cell is to be seen, beside its text. */
export type Cell = string | readonly [text: string, tone: keyof Style];

/**
 * Rows under dim headings, each column as wide as its widest cell; the last one takes what `columns` leaves (0: no limit).
 * Cells may hold anything: control characters do not get through.
 */
export function formatTable(
  headings: readonly string[],
  rows: readonly (readonly Cell[])[],
  { style, columns }: { readonly style: Style; readonly columns: number },
): string {
  const widths = headings.map((heading, i) =>
    Math.max(displayWidth(heading), ...rows.map((row) => displayWidth(plainLine(textOf(row[i]))))),
  );
  const last = headings.length - 1;
  const before = widths.slice(0, last).reduce((sum, width) => sum + width + GAP.length, 0);
  const room = columns === 0 ? Number.POSITIVE_INFINITY : Math.max(8, columns - before);
  const shape = (text: string, i: number) =>
    i === last ? clipColumns(text, Math.min(room, 10_000)) : fitColumns(text, widths[i] ?? 0);
  const lines = rows.map((row) =>
    row.map((cell, i) => paint(cell, shape(plainLine(textOf(cell)), i), style)).join(GAP),
  );
  const head = style.dim(
    headings
      .map((heading, i) => shape(heading, i))
      .join(GAP)
      .trimEnd(),
  );
  return [head, ...lines].map((line) => `${line.trimEnd()}\n`).join("");
}

function textOf(cell: Cell | undefined): string {
  if (cell === undefined) return "";
  return typeof cell === "string" ? cell : cell[0];
}

function paint(cell: Cell, text: string, style: Style): string {
  return typeof cell === "string" ? text : style[cell[1]](text);
}
