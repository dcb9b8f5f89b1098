import type { ControlDeps } from "../deps.js";
import { findApproval } from "../find-id.js";
import type { CallHandler } from "../handler.js";

/** An operator's answer to what waits. Durable when it returns. */
export function approvalRespond({ engine, reader }: ControlDeps): CallHandler<"approval.respond"> {
  return async ({ id: query, decision, scope, reason }, { peer }) => {
    const id = findApproval(reader, query);
    const verdict =
      decision === "approve"
        ? { granted: true as const, scope }
        : { granted: false as const, reason };
    await engine.respond(id, verdict, peer);
    return { ok: true, id };
  };
}
