/**
 * The glob language of `file_read` and `file_write`, and its parts.
 *
 *     /data/report.md   exactly that path
 *     /data/*           a last segment `*`: the directory itself and everything below it
 *     /logs/*.jsonl     `*` inside a segment: any characters but `/`
 *     `*` as a whole segment that is not the last: exactly one segment
 *     `**` as a whole segment: any number of segments, none too
 *     /a\*b             a backslash takes the meaning from `*` or `\`
 *
 * Nothing else is special. A glob is absolute and lexically normalised: no `.`, `..`, empty segment or control character.
 */

/** Text pieces between stars: `["report.md"]` is literal, `["", ".jsonl"]` is `*.jsonl`. */
export type SegmentPattern = readonly string[];
/** `null` stands for any number of segments. */
export type GlobPart = SegmentPattern | null;

export type NormalGlob =
  | { readonly ok: true; readonly glob: string }
  | { readonly ok: false; readonly problem: string };

const MAX_LENGTH = 4_096;

/** The glob in its one written form (no `//`, no `.`, no trailing `/`), or what is wrong with it. */
export function normaliseGlob(text: string): NormalGlob {
  const problem = findProblem(text);
  if (problem !== undefined) return { ok: false, problem };
  const segments = text.split("/").filter((segment) => segment !== "" && segment !== ".");
  for (const segment of segments) {
    if (segment === "..") return { ok: false, problem: `'${text}' has a '..' segment` };
    if (/^\*\*.|.\*\*/.test(segment.replace(/\\[*\\]/g, "_"))) {
      return { ok: false, problem: `'${text}': '**' must be a whole segment` };
    }
    if (splitSegment(segment) === undefined) {
      return { ok: false, problem: `'${text}': a backslash stands only before '*' or '\\'` };
    }
  }
  return { ok: true, glob: `/${segments.join("/")}` };
}

function findProblem(text: string): string | undefined {
  if (!text.startsWith("/")) return `'${text}' is not absolute: it must begin with '/'`;
  if (text.length > MAX_LENGTH) return `is longer than ${MAX_LENGTH} characters`;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
  if (/[\u0000-\u001f\u007f]/.test(text)) return "holds a control character";
  if (text !== text.trimEnd()) return `'${text}' ends in a blank`;
  return undefined;
}

/** `path` as a glob that matches only itself. */
export function escapeGlob(path: string): string {
  return path.replace(/[\\*]/g, "\\$&");
}

/** The glob of the directory `root` and all below it. `root` may itself hold stars; a tree stays as it is. */
export function treeGlob(root: string): string {
  if (root.endsWith("/*")) return root;
  return root.endsWith("/") ? `${root}*` : `${root}/*`;
}

/** The segments of a normalised glob; undefined where it is not one. */
export function parseGlob(glob: string): readonly GlobPart[] | undefined {
  if (!glob.startsWith("/")) return undefined;
  if (glob === "/") return [];
  const texts = glob.slice(1).split("/");
  const parts: GlobPart[] = [];
  for (const [i, text] of texts.entries()) {
    const isLast = i === texts.length - 1;
    const part = text === "**" || (text === "*" && isLast) ? null : splitSegment(text);
    if (part === undefined || isDots(part)) return undefined;
    if (part !== null || parts.at(-1) !== null || parts.length === 0) parts.push(part);
  }
  return parts;
}

function isDots(part: GlobPart): boolean {
  return part?.length === 1 && (part[0] === "" || part[0] === "." || part[0] === "..");
}

/** The segments of a normalised absolute path; undefined where it is not one. */
export function splitPath(path: string): readonly string[] | undefined {
  if (!path.startsWith("/") || path.includes("\0")) return undefined;
  if (path === "/") return [];
  const segments = path.slice(1).split("/");
  return segments.some((s) => s === "" || s === "." || s === "..") ? undefined : segments;
}

function splitSegment(text: string): SegmentPattern | undefined {
  const pieces: string[] = [];
  let piece = "";
  for (let i = 0; i < text.length; i++) {
    const char = text.charAt(i);
    if (char === "*") {
      pieces.push(piece);
      piece = "";
    } else if (char === "\\") {
      i++;
      const next = text.charAt(i);
      if (next !== "*" && next !== "\\") return undefined;
      piece += next;
    } else piece += char;
  }
  pieces.push(piece);
  return pieces;
}
