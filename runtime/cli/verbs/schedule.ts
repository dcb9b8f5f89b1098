import type { ExitCode } from "../../protocol/error-code.js";
import type { ScheduleSummary } from "../../protocol/schedule.js";
import { connectTo } from "../client.js";
import type { Command } from "../command.js";
import { shortId } from "../format.js";
import { formatWhen } from "../format-when.js";
import { printJson, printLine, printTable } from "../print.js";
import { readGoal } from "../read-goal.js";
import { type RunOptions, runRequest } from "../run-request.js";
import type { Cell } from "../table.js";

export interface ScheduleOptions extends RunOptions {
  readonly file?: string;
  readonly timezone?: string;
}

/** Takes a goal for later; prints the schedule's id and when it is first due. */
export async function scheduleAdd(
  command: Command,
  when: string,
  words: readonly string[],
  { timezone, file, ...options }: ScheduleOptions,
): Promise<ExitCode> {
  const goal = await readGoal(command, words, file);
  const client = connectTo(command.places.socketPath, command.heard);
  const request = await runRequest(client, goal, options);
  const added = await client.call("schedule.add", {
    when,
    ...(timezone === undefined ? {} : { timezone }),
    target: { kind: "goal", request },
  });
  if (command.json) printJson(command, added);
  else printLine(command, `${added.schedule_id} next at ${added.next_at ?? "never"}`);
  return 0;
}

/** What is to come; with `--all` what is done or removed, too. */
export async function scheduleList(
  command: Command,
  { all = false }: { readonly all?: boolean },
): Promise<ExitCode> {
  const { schedules } = await connectTo(command.places.socketPath, command.heard).call(
    "schedule.list",
    { all },
  );
  if (command.json) {
    printJson(command, { schedules });
    return 0;
  }
  if (schedules.length === 0) {
    printLine(command, 'Nothing is scheduled. `agentd schedule add "0 8 * * *" GOAL` adds a goal.');
    return 0;
  }
  const headings = ["SCHEDULE", "WHEN", "NEXT", "TIMES", "LAST RUN", "WHAT"];
  printTable(command, headings, schedules.map(scheduleRow));
  return 0;
}

function scheduleRow(schedule: ScheduleSummary): readonly Cell[] {
  const { last_run_id, last_problem, next_at, removed_at } = schedule;
  const last: Cell =
    last_problem !== null
      ? [last_problem, "warn"]
      : last_run_id === null
        ? "-"
        : shortId(last_run_id);
  return [
    shortId(schedule.schedule_id),
    formatWhen(schedule.when),
    next_at ?? (removed_at === null ? "done" : "removed"),
    String(schedule.times_fired),
    last,
    schedule.target.request.goal,
  ];
}

/** Nothing more comes of it. */
export async function scheduleRemove(command: Command, id: string): Promise<ExitCode> {
  const client = connectTo(command.places.socketPath, command.heard);
  const { schedule_id } = await client.call("schedule.remove", { schedule_id: id });
  if (command.json) printJson(command, { removed: schedule_id });
  else printLine(command, `removed ${schedule_id}`);
  return 0;
}
