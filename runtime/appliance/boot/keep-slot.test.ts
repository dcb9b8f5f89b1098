import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import {
  type BootChange,
  type BootState,
  changeBoot,
  chosenSlot,
  INITIAL_BOOT_STATE,
} from "../../protocol/slots.js";
import { readBootEnvironment, writeBootEnvironment } from "./boot-environment.js";
import { keepSlot } from "./keep-slot.js";
import { rollBackFrom } from "./roll-back.js";
import { openSlotRecords, type SlotRecords } from "./slot-records.js";

let dir: string;
let records: SlotRecords;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "aaos-keep-"));
  records = openSlotRecords(join(dir, "slots"));
  for (const [slot, version] of [
    ["A", "1.0.0"],
    ["B", "2.0.0"],
  ] as const)
    records.writeImage(slot, { version, sha256: "x", size_bytes: 1 });
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const time = "2026-11-24T00:00:00.000Z";
const change = (changes: readonly BootChange[], from = INITIAL_BOOT_STATE): BootState =>
  changes.reduce(changeBoot, from);
const keep = (slot: "A" | "B", version: string) => keepSlot(dir, records, { slot, version, time });
const state = () => readBootEnvironment(dir, undefined).state;
const both = change([
  { type: "healthy", slot: "A" },
  { type: "wanted", slot: "B" },
  { type: "healthy", slot: "B" },
]);

test("a slot that used up its tries is left, and its version has a verdict although it wrote none", () => {
  let tried = change([
    { type: "healthy", slot: "A" },
    { type: "wanted", slot: "B" },
  ]);
  for (let start = 0; start < 4; start += 1) tried = chosenSlot(tried).left;
  writeBootEnvironment(dir, tried);
  const story = { from: "B", to: "A", version: "2.0.0", reason: "it never came up", time };
  expect(keep("A", "1.0.0")).toEqual(story);
  expect(records.verdict("B")).toMatchObject({ ok: false, version: "2.0.0" });
  expect(records.fallback()).toEqual(story);
  expect(state()).toMatchObject({ order: ["A", "B"], slots: { B: { ok: false } } });
});

test("a slot that is asked for while the proof runs is left by nobody: it stays wanted", () => {
  writeBootEnvironment(dir, both);
  expect(rollBackFrom(dir, records, { slot: "B", version: "2.0.0", time })).toEqual({
    slot: "A",
    version: "1.0.0",
  });
  expect(keep("B", "2.0.0")).toBeUndefined();
  expect(state()).toMatchObject({ order: ["A", "B"], slots: { A: { ok: true, confirmed: true } } });
  expect(records.fallback()).toBeUndefined();
});

test("what an operator went back from has a verdict, which the proof of that very start does not take away", () => {
  writeBootEnvironment(dir, both);
  rollBackFrom(dir, records, { slot: "B", version: "2.0.0", time });
  const verdict = { ok: false, version: "2.0.0", reason: "an operator went back", time };
  expect(records.verdict("B")).toEqual(verdict);
  keep("B", "2.0.0");
  expect(records.verdict("B")).toEqual(verdict);
  keep("A", "1.0.0");
  expect(records.verdict("B")).toEqual(verdict);
});

test("a slot that was gone back from and is wanted again proves itself as any other", () => {
  writeBootEnvironment(dir, both);
  rollBackFrom(dir, records, { slot: "B", version: "2.0.0", time });
  rollBackFrom(dir, records, { slot: "A", version: "1.0.0", time });
  keep("B", "2.0.0");
  expect(records.verdict("B")).toMatchObject({ ok: true });
});

test("whoever is left has a verdict before the environment is changed: a power cut between the two loses none", () => {
  const unwritable = () => mkdirSync(join(dir, "grubenv.bak"));
  const leftB = [
    { type: "healthy", slot: "A" },
    { type: "wanted", slot: "B" },
  ] as const;
  let tried = change(leftB);
  for (let start = 0; start < 4; start += 1) tried = chosenSlot(tried).left;
  writeBootEnvironment(dir, tried);
  rmSync(join(dir, "grubenv.bak"));
  unwritable();
  expect(() => keep("A", "1.0.0")).toThrow(/EISDIR/);
  expect(records.verdict("B")).toMatchObject({ ok: false, version: "2.0.0" });
  expect(records.fallback()).toMatchObject({ from: "B", to: "A" });
  // The next proof tells it again.
  rmSync(join(dir, "grubenv.bak"), { recursive: true });
  expect(keep("A", "1.0.0")).toMatchObject({ from: "B", reason: "it never came up" });

  writeBootEnvironment(dir, both);
  rmSync(join(dir, "grubenv.bak"));
  unwritable();
  expect(() => rollBackFrom(dir, records, { slot: "A", version: "1.0.0", time })).toThrow(/EISDIR/);
  expect(records.verdict("A")).toMatchObject({ ok: false, reason: "an operator went back" });
});
