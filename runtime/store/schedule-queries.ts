import type { ScheduleSummary } from "../protocol/schedule.js";
import { exactAlone } from "./exact-alone.js";
import type { Database } from "./open.js";

type ScheduleRow = Omit<ScheduleSummary, "when" | "target"> & {
  readonly due: string;
  readonly target: string;
};

const COLUMNS = `schedule_id, owner_uid, added_at, next_at, last_at, last_run_id, last_problem, times_fired,
  removed_at, due, target`;

/** Schedules, newest first; without `all` those that are still to come. */
export function scheduleQueries(db: Database): {
  readonly schedules: (options: { readonly all: boolean }) => readonly ScheduleSummary[];
  readonly schedule: (scheduleId: string) => ScheduleSummary | undefined;
  readonly matchSchedule: (query: string) => readonly string[];
} {
  const every = db.prepare<[], ScheduleRow>(
    `SELECT ${COLUMNS} FROM schedules ORDER BY added_seq DESC`,
  );
  const coming = db.prepare<[], ScheduleRow>(
    `SELECT ${COLUMNS} FROM schedules WHERE next_at IS NOT NULL ORDER BY added_seq DESC`,
  );
  const one = db.prepare<[string], ScheduleRow>(
    `SELECT ${COLUMNS} FROM schedules WHERE schedule_id = ?`,
  );
  const match = db.prepare<[{ query: string }], { schedule_id: string }>(
    `SELECT schedule_id FROM schedules WHERE substr(schedule_id, 1, length(@query)) = @query
       OR substr(schedule_id, -length(@query)) = @query ORDER BY schedule_id = @query DESC, added_seq DESC`,
  );
  return {
    schedules: ({ all }) => (all ? every : coming).all().map(toSummary),
    schedule: (id) => {
      const row = one.get(id);
      return row === undefined ? undefined : toSummary(row);
    },
    matchSchedule: (query) =>
      exactAlone(
        match.all({ query: query.toUpperCase() }).map((row) => row.schedule_id),
        query,
      ),
  };
}

function toSummary({ due, target, ...row }: ScheduleRow): ScheduleSummary {
  return {
    ...row,
    when: JSON.parse(due) as ScheduleSummary["when"],
    target: JSON.parse(target) as ScheduleSummary["target"],
  };
}
