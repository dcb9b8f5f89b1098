import { AgentdError } from "../../protocol/agentd-error.js";
import type { ExitCode } from "../../protocol/error-code.js";
import type { ScheduleSummary } from "../../protocol/schedule.js";
import { connectTo, type MethodInput } from "../client.js";
import type { Command } from "../command.js";
import { shortId } from "../format.js";
import { formatWhen } from "../format-when.js";
import { printJson, printLine, printTable } from "../print.js";
import { readGoal } from "../read-goal.js";
import { type RunOptions, runRequest } from "../run-request.js";
import type { Cell } from "../table.js";

type Target = MethodInput<"schedule.add">["target"];

export interface ScheduleOptions extends RunOptions {
  readonly file?: string;
  readonly timezone?: string;
  /** The agent that gets the text as a message; without it, it is a goal. */
  readonly agent?: string;
}

/** Takes a goal, or a message to an agent, for later; prints the schedule's id and when it is first due. */
export async function scheduleAdd(
  command: Command,
  when: string,
  words: readonly string[],
  { timezone, file, agent, ...options }: ScheduleOptions,
): Promise<ExitCode> {
  const text = await readGoal(command, words, file);
  const client = connectTo(command.places.socketPath, command.heard);
  const target: Target =
    agent === undefined
      ? { kind: "goal", request: await runRequest(client, text, options) }
      : messageTo(agent, text, options);
  const added = await client.call("schedule.add", {
    when,
    ...(timezone === undefined ? {} : { timezone }),
    target,
  });
  if (command.json) printJson(command, added);
  else printLine(command, `${added.schedule_id} next at ${added.next_at ?? "never"}`);
  return 0;
}

/** How a goal is carried out says nothing of a message: who gives both has meant one of them. */
function messageTo(agent: string, text: string, options: RunOptions): Target {
  const [odd] = Object.keys(options);
  if (odd === undefined) return { kind: "message", agent, text };
  const option = odd.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  const message = `--${option} is for goals; --agent sends a message`;
  throw new AgentdError("usage", "add schedule", message);
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
    schedule.target.kind === "goal"
      ? schedule.target.request.goal
      : `to ${schedule.target.agent}: ${schedule.target.text}`,
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
