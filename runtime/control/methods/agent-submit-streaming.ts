import { attachRun } from "../attach.js";
import type { ControlDeps } from "../deps.js";
import type { StreamHandler } from "../handler.js";

/** `run.submit` and `run.attach` on one connection. A client that goes away leaves the run as it is. */
export function agentSubmitStreaming(deps: ControlDeps): StreamHandler<"agent.submit_streaming"> {
  return async function* (request, { peer, signal }) {
    const runId = await deps.engine.submit(request, peer);
    yield* attachRun(deps, runId, 0, signal);
  };
}
