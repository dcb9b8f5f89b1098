import type { ControlDeps } from "../deps.js";
import type { CallHandler } from "../handler.js";

/** Walks the hash chain of the whole journal. */
export function auditVerify({ verify }: ControlDeps): CallHandler<"audit.verify"> {
  return async ({ heads }, { signal }) => {
    const report = await verify(heads, signal);
    return { ...report, problems: [...report.problems] };
  };
}
