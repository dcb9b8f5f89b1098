import type { ControlDeps } from "../deps.js";
import type { CallHandler } from "../handler.js";

/** Schedules, newest first; without `all` those of which something is still to come. */
export function scheduleList({ reader }: ControlDeps): CallHandler<"schedule.list"> {
  return ({ all }) => ({ schedules: [...reader.schedules({ all })] });
}
