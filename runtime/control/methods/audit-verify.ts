import type { ControlDeps } from "../deps.js";
import type { CallHandler } from "../handler.js";

/** Walks the hash chain of the whole journal. */
export function auditVerify({ verify }: ControlDeps): CallHandler<"audit.verify"> {
  return (_params, { signal }) => verify(signal);
}
