import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { formatDuration, parseDuration, withinTime } from "./duration.js";

it.each([
  ["250ms", 250],
  ["90s", 90_000],
  ["10min", 600_000],
  ["1h30m", 5_400_000],
  ["1.5h", 5_400_000],
  ["7d", 604_800_000],
  [" 30 ", 30_000],
  ["365d", 31_536_000_000],
])("%s is %d ms", (text, ms) => {
  expect(parseDuration(text)).toBe(ms);
});

it.each(["", "0", "0s", "366d", "-1s", "1 h", "h", "5y", "1h30", "1e3s"])("%j is none", (text) => {
  expect(parseDuration(text)).toBeUndefined();
});

it.each([
  [850, "850ms"],
  [12_340, "12.3s"],
  [245_000, "4m05s"],
  [7_620_000, "2h07m"],
  [273_600_000, "3d04h"],
])("%d ms are %s", (ms, text) => {
  expect(formatDuration(ms)).toBe(text);
});

it("work that takes too long is told so, and what it came to is not waited for", async () => {
  const never = new AbortController().signal;
  await expect(withinTime(60_000, never, async () => "done")).resolves.toBe("done");
  const late = withinTime(5, never, (signal) => sleep(60_000, undefined, { signal }));
  await expect(late).rejects.toMatchObject({ cause: { name: "TimeoutError" } });
});

it("work ends with the signal it was given", async () => {
  const stop = new AbortController();
  const work = withinTime(60_000, stop.signal, (signal) => sleep(60_000, undefined, { signal }));
  stop.abort(new Error("enough"));
  await expect(work).rejects.toMatchObject({ cause: { message: "enough" } });
});
