import type { Source } from "./source.js";
import { topicWords } from "./words.js";

/** A word that a source is about: how it is counted, how it is shown, and how often it stands there. */
export interface Term {
  readonly stem: string;
  readonly shown: string;
  readonly count: number;
}

/** The words that a source uses most, at least twice or in a heading; most frequent first, ties by alphabet. */
export function keyTerms(source: Source, limit: number): Term[] {
  const counts = new Map<string, { count: number; readonly surfaces: Map<string, number> }>();
  const add = (text: string, weight: number): void => {
    for (const { stem, surface } of topicWords(text)) {
      const entry = counts.get(stem) ?? { count: 0, surfaces: new Map<string, number>() };
      entry.count += weight;
      entry.surfaces.set(surface, (entry.surfaces.get(surface) ?? 0) + 1);
      counts.set(stem, entry);
    }
  };
  for (const block of source.blocks) add(block.text, block.kind === "heading" ? 2 : 1);
  source.terms.forEach((term, index) => {
    add(term, 2 * (source.terms.length - index));
  });
  const terms = [...counts].map(([stem, { count, surfaces }]) => ({
    stem,
    count,
    shown: most(surfaces),
  }));
  const frequent = terms.filter((term) => term.count >= 2 && term.stem.length >= 3);
  return (frequent.length >= 3 ? frequent : terms)
    .sort((a, b) => b.count - a.count || compareText(a.stem, b.stem))
    .slice(0, limit);
}

/** What several sources have in common, and what each has alone; in each list the most frequent first. */
export function compareTerms(lists: readonly (readonly Term[])[]): {
  readonly common: readonly { readonly term: Term; readonly sources: readonly number[] }[];
  readonly only: readonly (readonly Term[])[];
} {
  const holders = new Map<
    string,
    { readonly term: Term; readonly sources: number[]; total: number }
  >();
  lists.forEach((terms, source) => {
    for (const term of terms) {
      const entry = holders.get(term.stem) ?? { term, sources: [], total: 0 };
      entry.sources.push(source);
      entry.total += term.count;
      holders.set(term.stem, entry);
    }
  });
  const common = [...holders.values()]
    .filter((entry) => entry.sources.length > 1)
    .sort(
      (a, b) =>
        b.sources.length - a.sources.length ||
        b.total - a.total ||
        compareText(a.term.stem, b.term.stem),
    );
  const only = lists.map((terms) =>
    terms.filter((term) => holders.get(term.stem)?.sources.length === 1),
  );
  return { common, only };
}

/** By code unit: the same order on every host, whatever its locale. */
function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

function most(surfaces: ReadonlyMap<string, number>): string {
  const [first] = [...surfaces].sort((a, b) => b[1] - a[1] || compareText(a[0], b[0]));
  return first?.[0] ?? "";
}
