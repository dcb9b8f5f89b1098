import type { ControlDeps } from "../deps.js";
import { resolveFilter } from "../find-id.js";
import type { CallHandler } from "../handler.js";

/** Events by filter, at most `limit`. */
export function auditQuery({ reader }: ControlDeps): CallHandler<"audit.query"> {
  return (filter) => ({ events: [...reader.events(resolveFilter(reader, filter))] });
}
