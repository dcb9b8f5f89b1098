import type { ControlDeps } from "../deps.js";
import type { CallHandler } from "../handler.js";

/** What works and what does not, as the daemon sees it. */
export function systemDoctor({ doctor }: ControlDeps): CallHandler<"system.doctor"> {
  return async (_params, { signal }) => ({ checks: [...(await doctor(signal))] });
}
