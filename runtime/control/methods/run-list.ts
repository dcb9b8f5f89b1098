import type { ControlDeps } from "../deps.js";
import type { CallHandler } from "../handler.js";

/** Runs, newest first; without `all` those not ended. */
export function runList({ reader }: ControlDeps): CallHandler<"run.list"> {
  return ({ all }) => ({ runs: [...reader.runs({ all })] });
}
