import type { ControlDeps } from "../deps.js";
import type { CallHandler } from "../handler.js";

/** Walks the hash chain of the whole journal. */
export function auditVerify({ verify }: ControlDeps): CallHandler<"audit.verify"> {
  return async (_params, { signal }) => {
    const report = await verify(signal);
    return { ...report, problems: [...report.problems] };
  };
}
