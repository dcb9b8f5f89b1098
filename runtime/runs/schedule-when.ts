import { Cron } from "croner";
import { parseDuration } from "../base/duration.js";
import { errorText } from "../base/error-text.js";
import { AgentdError } from "../protocol/agentd-error.js";
import type { ScheduleWhen } from "../protocol/schedule.js";

const OP = "read time";
/** Occurrences that are counted at most; what was missed beyond is not worth a number. */
const MAX_COUNTED = 1_000;

/**
 * What an operator typed as a time: a cron expression of five fields (six with seconds), `@daily` and the like, `+10m`, or a time
 * such as `2026-12-01 08:00` (the machine's own time, or with an offset). Throws `usage` for anything else and for what never comes.
 */
export function parseWhen(text: string, timezone: string | undefined, nowMs: number): ScheduleWhen {
  const once = onceAt(text, nowMs);
  if (once !== undefined) {
    if (timezone !== undefined)
      throw refused("a time zone goes with a cron expression; give the time with its offset");
    if (once <= nowMs) throw refused(`${text} is past`);
    return { kind: "at", time: new Date(once).toISOString() };
  }
  if (timezone !== undefined && !isTimeZone(timezone))
    throw refused(`'${timezone}' is no time zone; write Europe/Berlin or the like`);
  const when = { kind: "cron", expression: text, timezone: timezone ?? null } as const;
  try {
    if (nextAfter(when, nowMs) === undefined) throw refused(`'${text}' never comes`);
  } catch (thrown) {
    if (thrown instanceof AgentdError) throw thrown;
    throw refused(`'${text}' is neither a time nor a cron expression: ${errorText(thrown)}`);
  }
  return when;
}

/** The first time after `afterMs`, ms since the epoch; undefined where none comes any more. */
export function nextAfter(when: ScheduleWhen, afterMs: number): number | undefined {
  if (when.kind === "at") {
    const time = Date.parse(when.time);
    return time > afterMs ? time : undefined;
  }
  const options = when.timezone === null ? {} : { timezone: when.timezone };
  const cron = new Cron(when.expression, { ...options, paused: true, mode: "5-or-6-parts" });
  return cron.nextRun(new Date(afterMs))?.getTime();
}

/** How many more times after `dueMs` have passed by now, and when the next one comes. */
export function catchUp(
  when: ScheduleWhen,
  dueMs: number,
  nowMs: number,
): { readonly missed: number; readonly next: number | undefined } {
  let missed = 0;
  for (let time = nextAfter(when, dueMs); time !== undefined && time <= nowMs; missed++) {
    if (missed >= MAX_COUNTED) break;
    time = nextAfter(when, time);
  }
  return { missed, next: nextAfter(when, nowMs) };
}

function onceAt(text: string, nowMs: number): number | undefined {
  const relative = /^\+\s*(\S.*)$/.exec(text)?.[1];
  if (relative !== undefined) {
    const ms = parseDuration(relative);
    if (ms === undefined) throw refused(`'${text}' is no duration; write +10m, +1h30m or +2d`);
    return nowMs + ms;
  }
  if (!/^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}|$)/.test(text)) return undefined;
  const time = Date.parse(text.length === 10 ? `${text}T00:00` : text.replace(" ", "T"));
  if (Number.isNaN(time)) throw refused(`'${text}' is no time; write 2026-12-01 08:00`);
  return time;
}

function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat("en", { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

function refused(message: string): AgentdError {
  return new AgentdError("usage", OP, message, {
    hint: 'Give a cron expression such as "0 8 * * 1-5", a time such as "2026-12-01 08:00", or +10m.',
  });
}
