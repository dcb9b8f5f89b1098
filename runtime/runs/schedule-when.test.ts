import { describe, expect, it } from "vitest";
import type { ScheduleWhen } from "../protocol/schedule.js";
import { catchUp, nextAfter, parseWhen } from "./schedule-when.js";

const NOW = Date.parse("2026-11-24T10:00:00.000Z");
const at = (text: string): number => Date.parse(text);
const cron = (expression: string): ScheduleWhen => ({ kind: "cron", expression, timezone: "UTC" });

describe("a time as it is typed", () => {
  it.each([
    ["+10m", "2026-11-24T10:10:00.000Z"],
    ["+1h30m", "2026-11-24T11:30:00.000Z"],
    ["2026-12-01T08:00:00Z", "2026-12-01T08:00:00.000Z"],
    ["2026-12-01 08:00+02:00", "2026-12-01T06:00:00.000Z"],
  ])("%s is %s", (text, time) => {
    expect(parseWhen(text, undefined, NOW)).toEqual({ kind: "at", time });
  });

  it.each(["0 8 * * 1-5", "@daily", "*/10 * * * * *", "0 0 L * *"])(
    "%s is a cron expression",
    (text) => {
      expect(parseWhen(text, "Europe/Berlin", NOW)).toEqual({
        kind: "cron",
        expression: text,
        timezone: "Europe/Berlin",
      });
    },
  );

  it.each([
    ["every morning", undefined, /neither a time nor a cron expression/],
    ["61 * * * *", undefined, /neither a time nor a cron expression/],
    ["0 0 30 2 *", undefined, /never comes/],
    ["2020-01-01 00:00", undefined, /is past/],
    ["2026-13-01 00:00", undefined, /is no time/],
    ["+soon", undefined, /is no duration/],
    ["0 8 * * *", "Mars/Olympus", /no time zone/],
    ["+10m", "UTC", /time zone goes with a cron expression/],
  ])("%s is refused", (text, zone, problem) => {
    expect(() => parseWhen(text, zone, NOW)).toThrowError(problem);
  });
});

describe("what comes next", () => {
  it("is judged in the schedule's time zone, across a change of its clocks", () => {
    const morning: ScheduleWhen = {
      kind: "cron",
      expression: "0 8 * * *",
      timezone: "Europe/Berlin",
    };
    expect(nextAfter(morning, at("2026-10-24T12:00:00Z"))).toBe(at("2026-10-25T07:00:00Z"));
    expect(nextAfter(morning, at("2026-10-23T12:00:00Z"))).toBe(at("2026-10-24T06:00:00Z"));
  });

  it("after a long absence is one that is still to come, and the missed ones are counted", () => {
    const due = at("2026-11-24T07:00:00Z");
    expect(catchUp(cron("0 * * * *"), due, NOW)).toEqual({
      missed: 3,
      next: at("2026-11-24T11:00:00Z"),
    });
    expect(catchUp(cron("* * * * * *"), at("2026-01-01T00:00:00Z"), NOW).missed).toBe(1_000);
  });

  it("of a single time is nothing", () => {
    const once: ScheduleWhen = { kind: "at", time: "2026-11-24T09:00:00.000Z" };
    expect(catchUp(once, at("2026-11-24T09:00:00Z"), NOW)).toEqual({ missed: 0, next: undefined });
  });
});
