import type { ControlDeps } from "../deps.js";
import { findSchedule } from "../find-id.js";
import type { CallHandler } from "../handler.js";

/** Nothing more comes of the schedule; what it has started goes on. */
export function scheduleRemove(deps: ControlDeps): CallHandler<"schedule.remove"> {
  return async ({ schedule_id }, { peer }) => {
    const id = findSchedule(deps.reader, schedule_id);
    await deps.schedules.remove(id, peer);
    return { ok: true, schedule_id: id };
  };
}
