import type { ControlDeps } from "../deps.js";
import type { CallHandler } from "../handler.js";

/** Takes a goal; the run is in the journal when the answer comes. */
export function runSubmit({ engine }: ControlDeps): CallHandler<"run.submit"> {
  return async (request, { peer }) => ({ run_id: await engine.submit(request, peer) });
}
