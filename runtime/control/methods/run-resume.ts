import type { ControlDeps } from "../deps.js";
import { findRun } from "../find-id.js";
import type { CallHandler } from "../handler.js";

/** A paused run goes on where it stood. */
export function runResume({ engine, reader }: ControlDeps): CallHandler<"run.resume"> {
  return async ({ run_id }, { peer }) => {
    const id = findRun(reader, run_id);
    await engine.resume(id, peer);
    return { ok: true, run_id: id };
  };
}
