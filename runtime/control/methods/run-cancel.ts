import type { ControlDeps } from "../deps.js";
import { findRun } from "../find-id.js";
import type { CallHandler } from "../handler.js";

/** Ends a run and all that belongs to it; answers when nothing of it is left. */
export function runCancel({ engine, reader }: ControlDeps): CallHandler<"run.cancel"> {
  return async ({ run_id }, { peer }) => {
    const id = findRun(reader, run_id);
    await engine.cancel(id, peer);
    return { ok: true, run_id: id };
  };
}
