import { type Frame, knownEvent, type WireEvent } from "../protocol/control.js";
import type { EventBody } from "../protocol/event.js";
import { addUsage, NO_USAGE, type Usage } from "../protocol/model.js";
import type { Plan, PlanStep } from "../protocol/plan.js";
import type { StepState } from "../protocol/step.js";
import { describeEvent, type EventLine } from "./describe-event.js";

/** One step as it is seen. Times in ms since the epoch. */
export interface StepPicture {
  readonly id: string;
  readonly role: string;
  readonly state: StepState;
  readonly dependsOn: readonly string[];
  readonly startedAt: number | null;
  readonly endedAt: number | null;
  readonly usage: Usage;
  /** What its agent is doing now: a tool with its arguments, or nothing while the model thinks. */
  readonly activity: string | null;
  readonly error: string | null;
}

/** Everything that a live view shows of a run; made of frames alone, so that it can be drawn at any time. */
export interface RunPicture {
  readonly runId: string | null;
  readonly goal: string;
  readonly state: string;
  readonly startedAt: number | null;
  readonly endedAt: number | null;
  readonly usage: Usage;
  readonly steps: readonly StepPicture[];
  /** What went wrong or needs attention, newest last. */
  readonly notes: readonly EventLine[];
}

const MAX_NOTES = 4;

export const EMPTY_PICTURE: RunPicture = {
  runId: null,
  goal: "",
  state: "queued",
  startedAt: null,
  endedAt: null,
  usage: NO_USAGE,
  steps: [],
  notes: [],
};

/** The picture after a frame. Pure; a frame of a newer daemon changes nothing. */
export function applyFrame(picture: RunPicture, frame: Frame): RunPicture {
  switch (frame.kind) {
    case "plan":
      return { ...picture, steps: planned(picture.steps, frame.plan) };
    case "end":
      return {
        ...picture,
        state: frame.state ?? picture.state,
        endedAt: picture.startedAt === null ? null : picture.startedAt + frame.elapsed_ms,
      };
    case "event":
      return applyEvent(withNote(picture, frame.event), frame.event);
    case "lag":
    case "final_text":
      return picture;
  }
}

/** A new plan keeps what is known of the steps that it keeps. */
function planned(before: readonly StepPicture[], plan: Plan): readonly StepPicture[] {
  const known = new Map(before.map((step) => [step.id, step]));
  return plan.steps.map((step) => {
    const kept = known.get(step.id);
    return kept?.state === "succeeded" && kept.role === step.role ? kept : waiting(step);
  });
}

function waiting({
  id,
  role,
  depends_on,
}: Pick<PlanStep, "id" | "role" | "depends_on">): StepPicture {
  return {
    id,
    role,
    state: "waiting",
    dependsOn: depends_on,
    startedAt: null,
    endedAt: null,
    usage: NO_USAGE,
    activity: null,
    error: null,
  };
}

function withNote(picture: RunPicture, event: WireEvent): RunPicture {
  const line = describeEvent(event);
  if (line?.tone !== "bad" && line?.tone !== "warn") return picture;
  return { ...picture, notes: [...picture.notes, line].slice(-MAX_NOTES) };
}

function applyEvent(picture: RunPicture, event: WireEvent): RunPicture {
  const body = knownEvent(event);
  if (body === undefined) return picture;
  const at = Date.parse(event.time);
  const run = applyToRun(picture, body, event, at);
  const stepId = "subtask_id" in body ? body.subtask_id : event.step_id;
  if (stepId === undefined) return run;
  const steps = run.steps.map((step) =>
    step.id === stepId ? { ...step, ...stepChange(step, body, at) } : step,
  );
  return { ...run, steps };
}

function applyToRun(
  picture: RunPicture,
  body: EventBody,
  event: WireEvent,
  at: number,
): RunPicture {
  if (body.kind === "run_submitted") {
    return { ...picture, runId: event.run_id ?? null, goal: body.goal, startedAt: at };
  }
  if (body.kind === "run_state_changed") return { ...picture, state: body.to };
  if (body.kind === "usage_reported") {
    return { ...picture, usage: addUsage(picture.usage, usageOf(body)) };
  }
  return picture;
}

type Change = Partial<Omit<StepPicture, "id" | "dependsOn">>;

function stepChange(step: StepPicture, body: EventBody, at: number): Change {
  if (body.kind === "subtask_started") {
    return { role: body.role, state: "running", startedAt: at, endedAt: null, error: null };
  }
  if (body.kind === "subtask_completed") {
    const error = body.success ? null : (body.reason ?? body.error ?? "failed");
    return { endedAt: at, activity: null, error };
  }
  if (body.kind === "step_state_changed") return stateChange(step, body.to, body.reason, at);
  if (body.kind === "tool_invoked") return { activity: `${body.tool} ${body.args_preview}` };
  if (body.kind === "tool_result") return { activity: null };
  if (body.kind === "usage_reported") return { usage: addUsage(step.usage, usageOf(body)) };
  return {};
}

function stateChange(
  step: StepPicture,
  state: StepState,
  reason: string | undefined,
  at: number,
): Change {
  if (state === "running") return { state, startedAt: step.startedAt ?? at };
  if (state === "waiting") return { state };
  const failed = state === "failed" || state === "skipped";
  const error = failed ? (step.error ?? reason ?? null) : null;
  return { state, endedAt: step.endedAt ?? at, activity: null, error };
}

function usageOf({ input_tokens, output_tokens, usd }: Usage): Usage {
  return { input_tokens, output_tokens, usd };
}
