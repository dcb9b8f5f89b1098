import type { ControlDeps } from "../deps.js";
import type { CallHandler } from "../handler.js";

/** The daemon itself. */
export function systemStatus({ status }: ControlDeps): CallHandler<"system.status"> {
  return () => status();
}
