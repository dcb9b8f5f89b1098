import { expect, it } from "vitest";
import { allEvents, journalFixture, note } from "../test/journal-fixture.js";
import { exportEvents } from "./export.js";

it("an export has every event that matches, one JSON object a line, oldest first, past any page", async () => {
  await using f = await journalFixture();
  await f.journal.append(Array.from({ length: 2_345 }, (_, i) => note(`line\n${i}`)));
  const filter = { after_seq: 0, limit: 10, reverse: true };
  const lines = [...exportEvents(f.reader, filter)];
  expect(lines.every((line) => line.indexOf("\n") === line.length - 1)).toBe(true);
  expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual(allEvents(f.reader));
  expect([...exportEvents(f.reader, { ...filter, kind: ["run_submitted"] })]).toEqual([]);
  expect([...exportEvents(f.reader, { ...filter, after_seq: 2_344 })]).toHaveLength(1);
});
