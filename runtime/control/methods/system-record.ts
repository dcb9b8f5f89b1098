import type { ControlDeps } from "../deps.js";
import type { CallHandler } from "../handler.js";

/** What root knows of the machine and the daemon has not seen. It is in the trail when this answers. */
export function systemRecord({ record }: ControlDeps): CallHandler<"system.record"> {
  return async ({ event }, { peer }) => ({
    seq: await record({ ...event, actor: `uid:${peer.uid ?? "unknown"}` }),
  });
}
