import { attachRun } from "../attach.js";
import type { ControlDeps } from "../deps.js";
import { findRun } from "../find-id.js";
import type { StreamHandler } from "../handler.js";

/** Follows one run from an event on, until it has ended. */
export function runAttach(deps: ControlDeps): StreamHandler<"run.attach"> {
  return async function* ({ run_id, after_seq, attended }, { signal }) {
    const id = findRun(deps.reader, run_id);
    using _operator = attended ? deps.engine.attend(id) : undefined;
    yield* attachRun(deps, id, after_seq, signal);
  };
}
