import { z } from "zod";
import { ScheduleTarget, ScheduleWhen } from "./schedule.js";

const due = {
  schedule_id: z.string(),
  due_at: z.string(),
  /** Occurrences before this one that passed while nobody was there; they are not made up for one by one. */
  missed: z.int().min(0),
  next_at: z.string().nullable(),
};

/** What happens to schedules. None carries a run's id in its envelope: a schedule outlives the runs that it started. */
export const ScheduleEvents = [
  z.strictObject({
    kind: z.literal("schedule_added"),
    schedule_id: z.string(),
    when: ScheduleWhen,
    target: ScheduleTarget,
    owner_uid: z.int().nullable(),
    next_at: z.string(),
  }),
  /** In the journal together with what it starts, so that neither is there without the other. */
  z.strictObject({
    kind: z.literal("schedule_fired"),
    ...due,
    started_run: z.string().optional(),
    /** The agent that got the message. */
    to_agent: z.string().optional(),
  }),
  /** It was due and nothing was started. */
  z.strictObject({ kind: z.literal("schedule_skipped"), ...due, reason: z.string() }),
  z.strictObject({ kind: z.literal("schedule_removed"), schedule_id: z.string() }),
] as const;
