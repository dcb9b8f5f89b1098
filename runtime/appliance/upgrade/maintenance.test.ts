import fc from "fast-check";
import { expect, test } from "vitest";
import { delayOf, mayStart, parseWindow } from "./maintenance.js";

const at = (time: string) => new Date(`2026-11-24T${time}:00`);
const window = parseWindow("02:00-05:00");
const seeds = Array.from({ length: 2_000 }, (_, n) => `machine-${n} 2.0.0`);

test("without a delay the window decides, over midnight too", () => {
  for (const [time, within] of [
    ["01:59", false],
    ["02:00", true],
    ["04:59", true],
    ["05:00", false],
  ] as const)
    expect(mayStart(at(time), window, 0, "x")).toBe(within);
  const night = parseWindow("23:30-00:30");
  for (const [time, within] of [
    ["23:29", false],
    ["23:30", true],
    ["00:29", true],
    ["00:30", false],
  ] as const)
    expect(mayStart(at(time), night, 0, "x")).toBe(within);
});

test("a fleet is spread over the delay: no minute has more than its share, nobody is left out", () => {
  const starts = seeds.map((seed) => delayOf(seed, 59));
  const counts = new Map<number, number>();
  for (const start of starts) counts.set(start, (counts.get(start) ?? 0) + 1);
  expect(counts.size).toBe(60);
  expect(Math.max(...counts.values())).toBeLessThan(80);
  expect(seeds.filter((seed) => mayStart(at("02:00"), window, 59, seed)).length).toBeLessThan(80);
  expect(seeds.every((seed) => mayStart(at("02:59"), window, 59, seed))).toBe(true);
});

test("a delay longer than the window never keeps a machine from its upgrade", () => {
  expect(seeds.every((seed) => mayStart(at("04:45"), window, 10_000, seed))).toBe(true);
});

test("what may start once may start until the window's end, and never outside of it", () => {
  fc.assert(
    fc.property(
      fc.nat(1439),
      fc.nat(1439),
      fc.nat(600),
      fc.string(),
      (startMinute, endMinute, delay, seed) => {
        const length = (endMinute - startMinute + 1440) % 1440 || 1440;
        let started = false;
        for (let into = 0; into < 1440; into += 7) {
          const minute = (startMinute + into) % 1440;
          const now = new Date(2026, 10, 24, Math.floor(minute / 60), minute % 60);
          const may = mayStart(now, { startMinute, endMinute }, delay, seed);
          if (into >= length) expect(may).toBe(false);
          else if (started) expect(may).toBe(true);
          started ||= may;
        }
      },
    ),
    { numRuns: 200 },
  );
});
