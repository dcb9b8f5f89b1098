import type { EventBodyOf } from "../protocol/event.js";

/** Events that erase the content of these, ascending, one for each row of neighbours. */
export function erasures(
  seqs: readonly number[],
  reason: string,
): readonly EventBodyOf<"content_erased">[] {
  const ranges: { first: number; last: number }[] = [];
  for (const seq of seqs) {
    const last = ranges.at(-1);
    if (last !== undefined && seq === last.last + 1) last.last = seq;
    else ranges.push({ first: seq, last: seq });
  }
  return ranges.map(({ first, last }) => ({
    kind: "content_erased",
    first_seq: first,
    last_seq: last,
    reason,
  }));
}
