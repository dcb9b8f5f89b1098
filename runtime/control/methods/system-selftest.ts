import type { ControlDeps } from "../deps.js";
import type { CallHandler } from "../handler.js";

/** A real goal, and ten attempts that must be refused. What is tried, and under which policy, is the daemon's alone to say. */
export function systemSelftest({ selftest }: ControlDeps): CallHandler<"system.selftest"> {
  return (_params, { peer, signal }) => selftest(peer, signal);
}
