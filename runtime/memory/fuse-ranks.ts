/** How much a place in a list counts against the next: cormack et al. 2009, "Reciprocal Rank Fusion". */
const DAMPING = 60;

/**
 * Several lists of ids, best first, as one: an id counts in each list by its place in it. The score is 1 for an id that is first in
 * all of `lists`.
 */
export function fuseRanks(
  lists: readonly (readonly number[])[],
): readonly { readonly id: number; readonly score: number }[] {
  const scores = new Map<number, number>();
  const most = lists.length / (DAMPING + 1);
  for (const list of lists) {
    for (const [place, id] of list.entries()) {
      scores.set(id, (scores.get(id) ?? 0) + 1 / (DAMPING + 1 + place) / most);
    }
  }
  return [...scores]
    .map(([id, score]) => ({ id, score }))
    .sort((a, b) => b.score - a.score || a.id - b.id);
}
