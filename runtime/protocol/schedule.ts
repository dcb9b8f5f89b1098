import { z } from "zod";
import { RunRequest } from "./run.js";

/** When a schedule is due: again and again by a cron expression in a time zone, or once. */
export const ScheduleWhen = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("cron"),
    /** Five fields, or six with seconds first. */
    expression: z.string(),
    /** An IANA name; null is the machine's own. */
    timezone: z.string().nullable(),
  }),
  z.strictObject({ kind: z.literal("at"), time: z.iso.datetime({ precision: 3 }) }),
]);
export type ScheduleWhen = z.infer<typeof ScheduleWhen>;

/** What a schedule does when it is due. */
export const ScheduleTarget = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("goal"), request: RunRequest }),
  z.strictObject({
    kind: z.literal("message"),
    /** An agent that lives, by its id; or a name: an agent of the owner's that lives, else a new one of that manifest. */
    agent: z.string().min(1).max(200),
    text: z.string().trim().min(1).max(65_536),
  }),
]);
export type ScheduleTarget = z.infer<typeof ScheduleTarget>;

/** What an operator asks for; `when` as it is typed: a cron expression, a time, or `+10m`. */
export const ScheduleRequest = z.strictObject({
  when: z.string().trim().min(1).max(200),
  timezone: z.string().min(1).max(64).optional(),
  target: ScheduleTarget,
});
export type ScheduleRequest = z.infer<typeof ScheduleRequest>;

/** One schedule as the journal knows it. Times are RFC 3339. `next_at` is null once nothing more will come of it. */
export const ScheduleSummary = z.strictObject({
  schedule_id: z.string(),
  owner_uid: z.int().nullable(),
  when: ScheduleWhen,
  target: ScheduleTarget,
  added_at: z.string(),
  next_at: z.string().nullable(),
  last_at: z.string().nullable(),
  /** The run that it started last. */
  last_run_id: z.string().nullable(),
  /** Why nothing came of it the last time; null where something did. */
  last_problem: z.string().nullable(),
  times_fired: z.int(),
  removed_at: z.string().nullable(),
});
export type ScheduleSummary = z.infer<typeof ScheduleSummary>;
