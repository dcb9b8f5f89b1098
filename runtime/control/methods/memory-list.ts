import type { ControlDeps } from "../deps.js";
import type { CallHandler } from "../handler.js";

/** What agents remember, newest first. */
export function memoryList({ memory }: ControlDeps): CallHandler<"memory.list"> {
  return (filter) => ({ memories: [...memory.list(filter)] });
}
