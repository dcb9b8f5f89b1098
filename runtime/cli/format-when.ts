import type { ScheduleWhen } from "../protocol/schedule.js";

/** When a schedule is due, in few words. */
export function formatWhen(when: ScheduleWhen): string {
  if (when.kind === "at") return `at ${when.time}`;
  return when.timezone === null ? when.expression : `${when.expression} (${when.timezone})`;
}
