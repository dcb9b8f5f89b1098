import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { openReader } from "../store/open-reader.js";
import { entropy, note } from "../test/journal-fixture.js";
import { mountSmallDisk, type SmallDisk } from "../test/small-disk.js";
import { openJournal } from "./journal.js";
import { verifyJournal } from "./verify.js";

/** A file system of 3 MB, until it is disposed; undefined where this user may not mount. */
function smallDisk(): SmallDisk | undefined {
  const dir = mkdtempSync(join(tmpdir(), "aaos-disk-full-"));
  const disk = mountSmallDisk(dir, 3);
  if (disk === undefined) rmSync(dir, { recursive: true });
  return (
    disk && {
      ...disk,
      [Symbol.dispose]: () => {
        disk[Symbol.dispose]();
        rmSync(dir, { recursive: true });
      },
    }
  );
}

it("a full disk rejects appends with disk_full and harms nothing; with room again they go on", async (context) => {
  using disk = smallDisk();
  if (disk === undefined) {
    context.skip("needs the right to mount a tmpfs");
    return;
  }
  const path = join(disk.dir, "aaos.db");
  const journal = await openJournal({ path, entropy, redact: (text) => text });
  const before = await journal.append([note("before")]);
  const filler = disk.fill();

  const attempts = Array.from({ length: 20 }, (_, i) =>
    journal.append([note(`${i}${"x".repeat(60_000)}`)]),
  );
  const outcomes = await Promise.allSettled(attempts);
  const refused = outcomes.filter((o) => o.status === "rejected");
  expect(refused.length).toBeGreaterThan(0);
  for (const { reason } of refused) expect(reason).toMatchObject({ code: "disk_full" });

  rmSync(filler);
  const after = await journal.append([note("after")]);
  const reader = openReader(path);
  const stored = reader.events({ after_seq: 0, limit: 100, reverse: false });
  const acknowledged = outcomes.flatMap((o) => (o.status === "fulfilled" ? o.value : []));
  expect(stored).toEqual([...before, ...acknowledged, ...after]);
  reader.close();
  await journal.close();
  expect(verifyJournal(path)).toMatchObject({ ok: true, problems: [] });
});

it("a database that cannot be made for want of room is refused with disk_full", async (context) => {
  using disk = smallDisk();
  if (disk === undefined) {
    context.skip("needs the right to mount a tmpfs");
    return;
  }
  disk.fill();
  const path = join(disk.dir, "aaos.db");
  const opening = openJournal({ path, entropy, redact: (text) => text });
  await expect(opening).rejects.toMatchObject({ code: "disk_full" });
});
