import type { ControlDeps } from "../deps.js";
import { findRun } from "../find-id.js";
import type { CallHandler } from "../handler.js";

/** No turn and no call of the run begins any more; what is under way ends. */
export function runPause({ engine, reader }: ControlDeps): CallHandler<"run.pause"> {
  return async ({ run_id }, { peer }) => {
    const id = findRun(reader, run_id);
    await engine.pause(id, peer);
    return { ok: true, run_id: id };
  };
}
