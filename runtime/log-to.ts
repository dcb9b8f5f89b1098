import type { Logger } from "pino";
import type { EngineDeps } from "./runs/deps.js";

/** A logger as the rooms take one. */
export function logTo(log: Logger): EngineDeps["log"] {
  return (level, message, fields = {}) => log[level](fields, message);
}
