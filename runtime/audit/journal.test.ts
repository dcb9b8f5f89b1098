import { existsSync, statSync } from "node:fs";
import { describe, expect, it } from "vitest";
import {
  allEvents,
  entropy,
  journalFixture,
  kinds,
  newAgentId,
  newRunId,
  note,
  runMoved,
  submitted,
  wholeRun,
} from "../test/journal-fixture.js";
import { openJournal } from "./journal.js";
import { makeRedactor } from "./redact.js";

describe("append", () => {
  it("gives back the stored events, numbered without a gap, as a reader sees them", async () => {
    await using f = await journalFixture();
    const first = await f.journal.append([note("a"), note("b")]);
    const second = await f.journal.append([note("c")]);
    expect([...first, ...second].map((e) => e.seq)).toEqual([1, 2, 3]);
    expect(allEvents(f.reader)).toEqual([...first, ...second]);
  });

  it("takes effect in the order of the calls, also where they are not awaited", async () => {
    await using f = await journalFixture();
    const texts = Array.from({ length: 2_500 }, (_, i) => `event ${i}`);
    await Promise.all(texts.map((text) => f.journal.append([note(text)])));
    const stored = allEvents(f.reader).map((e) => ("reason" in e ? e.reason : ""));
    expect(stored).toEqual(texts);
  });

  it("shares a sync among all that waits: 512 parallel appends take few transactions", async () => {
    await using f = await journalFixture();
    await Promise.all(
      Array.from({ length: 64 }, async () => {
        for (let i = 0; i < 8; i++) await f.journal.append([note("x")]);
      }),
    );
    const { events, commits } = f.journal.stats();
    expect(events).toBe(512);
    expect(commits).toBeLessThan(40);
  });

  it("is atomic: where one event is illegal, none of that append is stored", async () => {
    await using f = await journalFixture();
    const runId = newRunId();
    const bad = f.journal.append([
      submitted(runId),
      runMoved(runId, { move: "succeed", from: "queued", to: "succeeded" }),
    ]);
    await expect(bad).rejects.toMatchObject({ code: "illegal_transition" });
    expect(allEvents(f.reader)).toEqual([]);
    expect(f.reader.run(runId)).toBeUndefined();
  });

  it("rejects an illegal append alone: its neighbours of the same transaction stand", async () => {
    await using f = await journalFixture();
    const runId = newRunId();
    const results = await Promise.allSettled([
      f.journal.append([submitted(runId)]),
      f.journal.append([
        note("before"),
        runMoved(newRunId(), { move: "plan", from: "queued", to: "planning" }),
      ]),
      f.journal.append([runMoved(runId, { move: "plan", from: "queued", to: "planning" })]),
    ]);
    expect(results.map((r) => r.status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect(f.journal.stats().commits).toBe(1);
    expect(kinds(allEvents(f.reader))).toEqual(["run_submitted", "run_state_changed"]);
    expect(f.reader.run(runId)?.state).toBe("planning");
  });

  it("rejects an event of a malformed shape, whatever the caller's types said", async () => {
    await using f = await journalFixture();
    const malformed = { ...note("x"), extra: 1 };
    await expect(f.journal.append([malformed])).rejects.toMatchObject({ code: "internal" });
    await expect(f.journal.append([note("well formed")])).resolves.toHaveLength(1);
  });

  it("keeps half characters, NUL and every script storable and equal", async () => {
    await using f = await journalFixture();
    const [stored] = await f.journal.append([note("a\ud800b \u0000 𝔘 ü \udc00")]);
    expect(stored).toMatchObject({ reason: "a\ufffdb \u0000 𝔘 ü \ufffd" });
    expect(allEvents(f.reader)).toEqual([stored]);
  });

  it("A24-36 redacts every string of a payload before it is stored or shown", async () => {
    await using f = await journalFixture(makeRedactor(["hunter2-hunter2"]));
    const runId = newRunId();
    const shown: unknown[] = [];
    f.journal.subscribe((events) => shown.push(...events));
    const event = submitted(runId, "log in with hunter2-hunter2");
    const stored = await f.journal.append([
      { ...event, params: { list: ["hunter2-hunter2"] } } as typeof event,
    ]);
    const everything = JSON.stringify([stored, shown, f.reader.run(runId), allEvents(f.reader)]);
    expect(everything).not.toContain("hunter2-hunter2");
    expect(everything).toContain("[redacted]");
  });

  it("A24-2 every event of a run carries its run_id, and no other run's events are among them", async () => {
    await using f = await journalFixture();
    const [a, b] = [newRunId(), newRunId()];
    await Promise.all([
      f.journal.append(wholeRun(a, newAgentId())),
      f.journal.append(wholeRun(b, newAgentId())),
    ]);
    const ofA = f.reader.events({ run_id: a, after_seq: 0, limit: 100, reverse: false });
    expect(ofA).toHaveLength(13);
    expect(new Set(ofA.map((e) => e.run_id))).toEqual(new Set([a]));
  });
});

describe("subscribe", () => {
  it("gives events in order, only once they are durable, to every listener until it leaves", async () => {
    await using f = await journalFixture();
    const seen: number[] = [];
    const late: number[] = [];
    const leave = f.journal.subscribe((events) => {
      const durable = allEvents(f.reader).length;
      for (const event of events) {
        expect(event.seq).toBeLessThanOrEqual(durable);
        seen.push(event.seq);
      }
    });
    await f.journal.append([note("a")]);
    f.journal.subscribe((events) => late.push(...events.map((e) => e.seq)));
    await Promise.all([f.journal.append([note("b")]), f.journal.append([note("c")])]);
    leave();
    await f.journal.append([note("d")]);
    expect(seen).toEqual([1, 2, 3]);
    expect(late).toEqual([2, 3, 4]);
  });

  it("gives nothing of an append that was rejected", async () => {
    await using f = await journalFixture();
    const seen: string[] = [];
    f.journal.subscribe((events) => seen.push(...kinds(events)));
    const move = runMoved(newRunId(), { move: "plan", from: "queued", to: "planning" });
    await f.journal.append([note("x"), move]).catch(() => undefined);
    expect(seen).toEqual([]);
  });
});

describe("close", () => {
  it("stores what was appended before, refuses what comes after, and leaves the database to the next", async () => {
    await using f = await journalFixture();
    const before = Array.from({ length: 200 }, (_, i) => f.journal.append([note(`${i}`)]));
    const closed = f.journal.close();
    await expect(f.journal.append([note("late")])).rejects.toMatchObject({ code: "unavailable" });
    await closed;
    await f.journal.close();
    expect(await Promise.all(before)).toHaveLength(200);
    const again = await openJournal({ path: f.path, entropy, redact: (text) => text });
    expect((await again.append([note("next")]))[0]?.seq).toBe(201);
    await again.close();
  });
});

describe("open", () => {
  it("refuses a second writer of the same database until the first has closed", async () => {
    await using f = await journalFixture();
    const open = () => openJournal({ path: f.path, entropy, redact: (text) => text });
    await expect(open()).rejects.toMatchObject({ code: "already_running" });
    await f.journal.close();
    const second = await open();
    await second.close();
  });

  it("makes the database and the key readable by its owner alone", async () => {
    await using f = await journalFixture();
    await f.journal.append([note("a")]);
    for (const file of [f.path, `${f.path}-wal`, f.path.replace("aaos.db", "audit-key.pem")]) {
      expect(existsSync(file)).toBe(true);
      expect(statSync(file).mode & 0o777).toBe(0o600);
    }
    expect(statSync(f.path.replace("/aaos.db", "")).mode & 0o077).toBe(0);
  });
});

describe("memory", () => {
  it("A22-33 A22-35 the journal is no ring in memory: 20,000 events with 40 MB of payload leave the heap as it was", async () => {
    await using f = await journalFixture();
    const append = async (rounds: number) => {
      for (let i = 0; i < rounds; i++)
        await f.journal.append(Array.from({ length: 100 }, () => note("x".repeat(2_000))));
    };
    await append(20);
    const before = process.memoryUsage().heapUsed;
    await append(200);
    const growth = process.memoryUsage().heapUsed - before;
    expect(f.journal.stats()).toMatchObject({ events: 22_000, waiting: 0 });
    expect(growth).toBeLessThan(25 * 1_048_576);
    expect(f.reader.events({ after_seq: 0, limit: 1, reverse: true })[0]?.seq).toBe(22_000);
  }, 60_000);
});
