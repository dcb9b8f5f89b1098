import colors from "picocolors";
import type { CliIo } from "./io.js";

/** Colours by meaning; all of them give the text as it is where colour is not wanted. */
export interface Style {
  readonly dim: (text: string) => string;
  readonly bold: (text: string) => string;
  readonly good: (text: string) => string;
  readonly bad: (text: string) => string;
  readonly warn: (text: string) => string;
  readonly accent: (text: string) => string;
}

/** Colour on a terminal only, and never with NO_COLOR. */
export function styleFor(io: CliIo): Style {
  const { dim, bold, green, red, yellow, cyan } = colors.createColors(
    io.stdout.isTTY === true && !io.noColor,
  );
  return { dim, bold, good: green, bad: red, warn: yellow, accent: cyan };
}
