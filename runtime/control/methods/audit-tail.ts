import type { ControlDeps } from "../deps.js";
import { resolveFilter } from "../find-id.js";
import { framesUntil } from "../frames-until.js";
import type { StreamHandler } from "../handler.js";

/** Every event that matches, from `after_seq` on, until the client leaves. `limit` and `reverse` say nothing here. */
export function auditTail(deps: ControlDeps): StreamHandler<"audit.tail"> {
  return async function* (filter, { signal }) {
    const { after_seq, ...rest } = resolveFilter(deps.reader, filter);
    const never = { mayEnd: () => false, hasEnded: () => false };
    yield* framesUntil(never, { source: deps, filter: rest, afterSeq: after_seq }, signal);
  };
}
