/** A place that a goal names. `relative` is a bare file name, good for an output in the run's own directory. */
export interface Reference {
  readonly kind: "url" | "path" | "relative";
  readonly where: string;
}

/** In this order: a URL holds what looks like a path, a quoted path may hold blanks. */
const PATTERN = new RegExp(
  [
    String.raw`(?<url>https?:\/\/[^\s<>"'\x60|\\^{}]+)`,
    String.raw`(?<quoted>"(?:\/|\{run\}\/)[^"\n]+"|'(?:\/|\{run\}\/)[^'\n]+'|\x60(?:\/|\{run\}\/)[^\x60\n]+\x60)`,
    String.raw`(?<path>(?:\{run\}|(?<![\p{L}\p{N}_/.:~-]))\/[^\s,;"'\x60<>|()[\]{}]+)`,
    String.raw`(?<relative>(?<![\p{L}\p{N}_/.:~@-])(?:~\/|\.\.?\/)?[\p{L}\p{N}_-][\p{L}\p{N}_./-]*\.(?:md|markdown|txt|html?|json|csv|rst|pdf)\b)`,
  ].join("|"),
  "giu",
);

/** The places in order, and the text with each replaced by a mark that no goal holds. */
export function findReferences(text: string): {
  readonly masked: string;
  readonly references: readonly Reference[];
} {
  const references: Reference[] = [];
  const clean = text.replace(/[\ue000\ue001]/g, " ");
  const masked = clean.replace(PATTERN, (...args: unknown[]) => {
    const found = String(args[0]);
    const groups = args.at(-1) as Readonly<Record<string, string | undefined>>;
    const where = groups["quoted"] === undefined ? withoutTail(found) : found.slice(1, -1);
    const tail = groups["quoted"] === undefined ? found.slice(where.length) : "";
    references.push({ kind: kindOf(groups), where });
    return `\ue000${references.length - 1}\ue001${tail}`;
  });
  return { masked, references };
}

function kindOf(groups: Readonly<Record<string, string | undefined>>): Reference["kind"] {
  if (groups["url"] !== undefined) return "url";
  return groups["relative"] === undefined ? "path" : "relative";
}

/** Without the punctuation of the sentence around; a closing bracket stays where one was opened. */
function withoutTail(found: string): string {
  let where = found.replace(/[.,;:!?…]+$/u, "");
  while (/[)\]]$/.test(where) && !/[([]/.test(where)) where = where.replace(/[)\].,;:!?]+$/, "");
  return where;
}
