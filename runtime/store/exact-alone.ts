/** A whole id means that one, even if another ends as it begins. */
export function exactAlone(ids: readonly string[], query: string): readonly string[] {
  return ids[0] === query.toUpperCase() ? ids.slice(0, 1) : ids;
}
