import type { ControlDeps } from "../deps.js";
import type { CallHandler } from "../handler.js";

/** Takes a goal for later; the schedule is in the journal when the answer comes. */
export function scheduleAdd({ schedules }: ControlDeps): CallHandler<"schedule.add"> {
  return (request, { peer }) => schedules.add(request, peer);
}
