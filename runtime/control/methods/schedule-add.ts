import type { ScheduleTarget } from "../../protocol/schedule.js";
import type { ControlDeps } from "../deps.js";
import { findAgent } from "../find-id.js";
import type { CallHandler } from "../handler.js";

/** Takes a goal, or a message to an agent, for later; the schedule is in the journal when the answer comes. */
export function scheduleAdd(deps: ControlDeps): CallHandler<"schedule.add"> {
  return (request, { peer }) => {
    const target = withAgent(request.target, deps);
    return deps.schedules.add({ ...request, target }, peer);
  };
}

/** A name stays one; part of an id is looked up among the caller's own agents, so that nobody writes to another's. */
function withAgent(target: ScheduleTarget, { reader, manifests }: ControlDeps): ScheduleTarget {
  if (target.kind === "goal") return target;
  const { agent } = target;
  const isName =
    manifests().has(agent) || reader.agents({ all: false }).some(({ name }) => name === agent);
  return isName ? target : { ...target, agent: findAgent(reader, agent) };
}
