import { expect, it } from "vitest";
import { formatEntry, openSystemJournal } from "./system-journal.js";

it("a value with a line break stays one field: nothing that an agent said becomes a field of its own", () => {
  expect(formatEntry({ MESSAGE: "a\nPRIORITY=0\r\nb", AAOS_RUN: "R", AAOS_AGENT: undefined })).toBe(
    "MESSAGE=a PRIORITY=0 b\nAAOS_RUN=R\n",
  );
});

it("lines that a journal is too far behind to take come later, all of them and in order", async () => {
  const taken: string[] = [];
  let behind = true;
  const journal = openSystemJournal((_path, text) => {
    if (!behind) taken.push(text);
    return !behind;
  });
  for (let i = 0; i < 100; i++) journal.write({ MESSAGE: i });
  behind = false;
  journal.write({ MESSAGE: 100 });
  await expect.poll(() => taken.length).toBe(101);
  expect(taken).toEqual(Array.from({ length: 101 }, (_, i) => `MESSAGE=${i}\n`));
  journal.close();
});

it("where no journal listens nothing is written, and nothing fails", () => {
  const journal = openSystemJournal(() => {
    throw new Error("sendto: no such file or directory");
  });
  journal.write({ MESSAGE: "x" });
  journal.close();
});
