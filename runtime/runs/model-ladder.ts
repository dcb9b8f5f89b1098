import type { EventBody } from "../protocol/event.js";
import { type RunId, type StepId, StepId as StepIdSchema } from "../protocol/ids.js";
import type { Role } from "../protocol/role.js";
import type { StoreReader } from "../store/reader.js";
import { readEvents } from "./read-events.js";

/** On which rung of its role's ladder each step of a run stands; one that is not named stands on the first. */
export type ModelTiers = Map<StepId, number>;

type Ladder = Pick<Role, "model" | "model_ladder" | "escalate_on">;
type Signal = Role["escalate_on"][number];

/** The order in which signals are looked at. */
const SIGNALS: readonly Signal[] = ["replan_retry", "max_tokens", "tool_repeat_guard"];

/** The model, by alias or id, that a step of this role is carried out with. */
export function modelOfStep(role: Ladder, step: StepId, tiers: ModelTiers): string {
  return role.model_ladder[tiers.get(step) ?? 0] ?? role.model;
}

/** Where the steps of a run stand by its journal. */
export function readTiers(reader: Pick<StoreReader, "events">, run_id: RunId): ModelTiers {
  const tiers: ModelTiers = new Map();
  for (const event of readEvents(reader, ["subtask_model_escalated"], { run_id }))
    tiers.set(StepIdSchema.parse(event.subtask_id), event.to_tier);
  return tiers;
}

/**
 * A step that has failed and is to be tried again, by a retry or in another plan, goes a rung up its role's ladder where a signal that
 * the role heeds was seen. Judged by what this run's journal says of this step, and nothing else. The event is for the caller to
 * write.
 */
export function escalate(
  reader: Pick<StoreReader, "events">,
  run_id: RunId,
  step: StepId,
  role: Ladder,
  tiers: ModelTiers,
): EventBody | undefined {
  const from = tiers.get(step) ?? 0;
  const to_model = role.model_ladder[from + 1];
  if (to_model === undefined) return undefined;
  const seen = signalsOf(reader, run_id, step);
  const reason = SIGNALS.find((signal) => seen.has(signal) && role.escalate_on.includes(signal));
  if (reason === undefined) return undefined;
  const from_model = modelOfStep(role, step, tiers);
  tiers.set(step, from + 1);
  return {
    kind: "subtask_model_escalated",
    subtask_id: step,
    ...{ from_tier: from, to_tier: from + 1, from_model, to_model, reason },
  };
}

/** What was seen in the step's newest attempt. That it is to be tried again is a signal itself. */
function signalsOf(
  reader: Pick<StoreReader, "events">,
  run_id: RunId,
  step: StepId,
): ReadonlySet<Signal> {
  const seen = new Set<Signal>(["replan_retry"]);
  const kinds = [
    "subtask_started",
    "agent_execution_completed",
    "tool_repeat_guard_fired",
  ] as const;
  for (const event of readEvents(reader, kinds, { run_id })) {
    if (event.step_id !== step) continue;
    switch (event.kind) {
      case "subtask_started":
        seen.delete("max_tokens");
        seen.delete("tool_repeat_guard");
        break;
      case "agent_execution_completed":
        if (event.stop_reason === "max_tokens" || event.stop_reason === "truncated")
          seen.add("max_tokens");
        break;
      case "tool_repeat_guard_fired":
        seen.add("tool_repeat_guard");
        break;
    }
  }
  return seen;
}
