const NAMED: Readonly<Record<string, string>> = {
  amp: "&",
  lt: "<",
  gt: ">",
  quot: '"',
  apos: "'",
  nbsp: " ",
};
/** Elements whose content is not for reading. */
const SILENT = new Set(["script", "style", "noscript", "template", "svg", "title"]);

/** The text of HTML of any shape, one line a block, without parsing it. Takes time linear in its length. */
export function plainText(html: string): string {
  const lower = html.toLowerCase();
  const pieces: string[] = [];
  let at = 0;
  while (at < html.length) {
    const open = html.indexOf("<", at);
    if (open === -1) break;
    pieces.push(html.slice(at, open));
    const after = endOfMarkup(lower, open);
    if (after === undefined) {
      // No tag at all: the character stands for itself.
      pieces.push("<");
      at = open + 1;
    } else {
      pieces.push(
        /^<\/?[abiu]\b|^<\/?(?:em|strong|span|code)\b/.test(lower.slice(open, open + 10))
          ? ""
          : "\n",
      );
      at = after;
    }
  }
  pieces.push(html.slice(at));
  const lines = decodeEntities(pieces.join(""))
    .split("\n")
    .map((line) => line.replace(/\s+/g, " ").trim());
  return lines.filter((line) => line !== "").join("\n");
}

/** The title as the source has it, where no parser helps. */
export function titleByPattern(html: string): string | null {
  const open = html.slice(0, 65_536).search(/<title[\s>]/i);
  if (open === -1) return null;
  const start = html.indexOf(">", open) + 1;
  const end = html.indexOf("<", start);
  if (start === 0 || end === -1) return null;
  const title = decodeEntities(html.slice(start, Math.min(end, start + 1_000)))
    .replace(/\s+/g, " ")
    .trim();
  return title === "" ? null : title;
}

/** Where a tag, a comment or a silent element that begins at `open` ends; undefined where none begins there. */
function endOfMarkup(lower: string, open: number): number | undefined {
  if (lower.startsWith("<!--", open)) return after(lower, "-->", open);
  if (!/[a-z/!?]/.test(lower.charAt(open + 1))) return undefined;
  const name = /^<([a-z]+)/.exec(lower.slice(open, open + 12))?.[1] ?? "";
  return SILENT.has(name) ? after(lower, `</${name}`, open) : after(lower, ">", open);
}

/** The place after the next `mark`, or the end of the text. */
function after(text: string, mark: string, from: number): number {
  const found = text.indexOf(mark, from);
  return found === -1 ? text.length : found + mark.length;
}

function decodeEntities(text: string): string {
  return text.replace(/&(#\d{1,7}|#x[\da-f]{1,6}|[a-z]{2,6});/gi, (whole, body: string) => {
    if (!body.startsWith("#")) return NAMED[body.toLowerCase()] ?? whole;
    const hex = body.charAt(1).toLowerCase() === "x";
    const code = Number.parseInt(body.slice(hex ? 2 : 1), hex ? 16 : 10);
    return code > 0 && code <= 0x10_ff_ff ? String.fromCodePoint(code) : "�";
  });
}
