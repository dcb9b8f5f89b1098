import { type GlobPart, parseGlob, type SegmentPattern, splitPath } from "./glob-syntax.js";

/** Stands for a star of the covered glob; a path or a parsed glob never holds it. */
const STAR = "\0";

/**
 * True where `path`, absolute and normalised, is one of the paths of `glob` (language: glob-syntax.ts). Anything malformed
 * matches nothing. Time is at most the product of both lengths, whatever the pattern.
 */
export function matchGlob(glob: string, path: string): boolean {
  const parts = parseGlob(glob);
  const segments = splitPath(path);
  return parts !== undefined && segments !== undefined && matchParts(parts, segments);
}

/**
 * True only where every path of `inner` is a path of `outer`. Conservative: may say no where the answer is yes. A star of
 * `inner` is read as a symbol that only a star of `outer` can take.
 */
export function covers(outer: string, inner: string): boolean {
  const parts = parseGlob(outer);
  const symbols = parseGlob(inner);
  if (parts === undefined || symbols === undefined) return false;
  return matchParts(
    parts,
    symbols.map((part) => (part === null ? null : part.join(STAR))),
  );
}

/** True where some path may be matched by both. Exact, but for names the kernel could not hold. */
export function overlaps(a: string, b: string): boolean {
  const left = parseGlob(a);
  const right = parseGlob(b);
  if (left === undefined || right === undefined) return false;
  // reach[j]: the first i parts of `left` and the first j of `right` have a path in common.
  let reach = right.map(() => false);
  reach.unshift(true);
  spreadOverRight(reach, right);
  for (const part of left) {
    const next = reach.map((reached, j) => {
      if (part === null) return reached;
      const beside = right[j - 1];
      if (beside === undefined) return false;
      if (beside === null) return reached;
      return reach[j - 1] === true && segmentsOverlap(part, beside);
    });
    if (part === null) {
      for (let j = 1; j < next.length; j++) next[j] ||= next[j - 1] === true;
    } else spreadOverRight(next, right);
    reach = next;
  }
  return reach.at(-1) === true;
}

/** A `**` of `right` may stand for nothing. */
function spreadOverRight(reach: boolean[], right: readonly GlobPart[]): void {
  for (const [j, part] of right.entries()) {
    if (part === null && reach[j] === true) reach[j + 1] = true;
  }
}

function segmentsOverlap(a: SegmentPattern, b: SegmentPattern): boolean {
  if (a.length === 1) return matchSegment(b, a[0] ?? "");
  if (b.length === 1) return matchSegment(a, b[0] ?? "");
  const [headA = "", headB = "", tailA = "", tailB = ""] = [a[0], b[0], a.at(-1), b.at(-1)];
  const headsAgree = headA.startsWith(headB) || headB.startsWith(headA);
  return headsAgree && (tailA.endsWith(tailB) || tailB.endsWith(tailA));
}

/**
 * Greedy with one way back, to the last `**`: enough, because an earlier one can only have taken less. A `null` symbol is a
 * `**` of a covered glob, taken only by a `**`.
 */
function matchParts(parts: readonly GlobPart[], symbols: readonly (string | null)[]): boolean {
  let p = 0;
  let s = 0;
  let lastAny = -1;
  let resume = 0;
  while (s < symbols.length) {
    const part = parts[p];
    const symbol = symbols[s];
    if (part === null) {
      lastAny = p++;
      resume = s;
    } else if (part !== undefined && typeof symbol === "string" && matchSegment(part, symbol)) {
      p++;
      s++;
    } else if (lastAny >= 0) {
      p = lastAny + 1;
      s = ++resume;
    } else return false;
  }
  while (parts[p] === null) p++;
  return p === parts.length;
}

/** Head and tail are anchored; each piece between is taken where it first occurs. */
function matchSegment(pattern: SegmentPattern, text: string): boolean {
  const head = pattern[0] ?? "";
  if (pattern.length === 1) return head === text;
  const tail = pattern.at(-1) ?? "";
  if (text.length < head.length + tail.length) return false;
  if (!text.startsWith(head) || !text.endsWith(tail)) return false;
  const end = text.length - tail.length;
  let from = head.length;
  for (const piece of pattern.slice(1, -1)) {
    const at = text.indexOf(piece, from);
    if (at < 0) return false;
    from = at + piece.length;
  }
  return from <= end;
}
