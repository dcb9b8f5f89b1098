// Columns that a text takes on a terminal (Unicode UAX #11 and UTS #51, in the simplification that terminals make): none for
// marks that join what is before them, two for East Asian wide and full-width characters and for emoji, one for the rest.

const ZERO = /^[\p{Mn}\p{Me}\p{Cf}]+$/u;
const WIDE =
  /[\u1100-\u115f\u2329\u232a\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1b000}-\u{1b2ff}\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}|\ufe0f/u;
const PLAIN = /^[\u0020-\u007e]*$/;

/** Columns of a text without control characters. */
export function displayWidth(text: string): number {
  if (PLAIN.test(text)) return text.length;
  let width = 0;
  for (const { segment } of graphemes(text)) width += graphemeWidth(segment);
  return width;
}

/** At most `columns` of the text, never half a character; what was cut shows as `…`. */
export function clipColumns(text: string, columns: number): string {
  if (columns <= 0) return "";
  if (displayWidth(text) <= columns) return text;
  let clipped = "";
  let width = 0;
  for (const { segment } of graphemes(text)) {
    const next = graphemeWidth(segment);
    if (width + next > columns - 1) break;
    clipped += segment;
    width += next;
  }
  return `${clipped}…`;
}

/** Clipped or filled to exactly `columns`. */
export function fitColumns(text: string, columns: number): string {
  const clipped = clipColumns(text, columns);
  return clipped + " ".repeat(Math.max(0, columns - displayWidth(clipped)));
}

function graphemes(text: string): Iterable<{ readonly segment: string }> {
  return new Intl.Segmenter("en", { granularity: "grapheme" }).segment(text);
}

function graphemeWidth(grapheme: string): number {
  if (ZERO.test(grapheme)) return 0;
  return WIDE.test(grapheme) ? 2 : 1;
}
