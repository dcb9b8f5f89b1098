import {
  appendFileSync,
  copyFileSync,
  cpSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Sqlite from "better-sqlite3";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { RunId } from "../protocol/ids.js";
import {
  entropy,
  newAgentId,
  newRunId,
  note,
  submitted,
  wholeRun,
} from "../test/journal-fixture.js";
import { GENESIS, linkHash } from "./chain.js";
import { openJournal } from "./journal.js";
import { verifyJournal } from "./verify.js";
import { verifyOffLoop } from "./verify-off-loop.js";

let dir: string;
let path: string;
let heads: string;
const runId = newRunId();

let original: string;

/** A closed journal of two runs and some notes: 30 events, one signed head. Each test has a copy. */
beforeAll(async () => {
  original = mkdtempSync(join(tmpdir(), "aaos-verify-"));
  const journal = await openJournal({
    path: join(original, "aaos.db"),
    entropy,
    redact: (text) => text,
  });
  await journal.append(wholeRun(runId, newAgentId()));
  await journal.append(wholeRun(newRunId(), newAgentId()));
  await journal.append([note("a"), note("b"), note("c"), note("d")]);
  await journal.close();
});
afterAll(() => {
  rmSync(original, { recursive: true });
});
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "aaos-verify-"));
  cpSync(original, dir, { recursive: true });
  path = join(dir, "aaos.db");
  heads = join(dir, "audit-heads.ndjson");
});
afterEach(() => {
  rmSync(dir, { recursive: true });
});

/** What somebody with the file in hand does to it. */
function tamper(sql: string, ...parameters: readonly (string | number)[]): void {
  const db = new Sqlite(path);
  db.pragma("foreign_keys = OFF");
  expect(db.prepare(sql).run(...parameters).changes).toBeGreaterThan(0);
  db.close();
}

function problems(): readonly string[] {
  const report = verifyJournal(path);
  expect(report.ok).toBe(report.problems.length === 0);
  return report.problems.map((p) => `${p.seq}: ${p.problem}`);
}

describe("an untouched journal", () => {
  it("verifies, with its length, its head and the head that was signed", () => {
    const report = verifyJournal(path);
    expect(report).toMatchObject({ ok: true, events: 30, erased: 0, problems: [] });
    expect(report.head?.seq).toBe(30);
    expect(report.signed_head).toMatchObject({ seq: 30, hash: report.head?.hash });
  });

  it("verifies while a daemon has it open and writes", async () => {
    const journal = await openJournal({ path, entropy, redact: (text) => text });
    const writing = Promise.all(
      Array.from({ length: 300 }, (_, i) => journal.append([note(`${i}`)])),
    );
    for (let i = 0; i < 5; i++) expect(verifyJournal(path).problems).toEqual([]);
    await writing;
    await journal.close();
    expect(problems()).toEqual([]);
  });

  it("verifies on a thread of its own with the same report", async () => {
    const report = await verifyOffLoop(path, [], new AbortController().signal);
    expect(report).toEqual(verifyJournal(path));
  });

  it("verifies when it is empty", async () => {
    const empty = join(dir, "empty", "aaos.db");
    await (await openJournal({ path: empty, entropy, redact: (text) => text })).close();
    expect(verifyJournal(empty)).toMatchObject({ ok: true, events: 0, head: null });
  });
});

describe("a changed row", () => {
  for (const [field, value] of [
    ["time", "2020-01-01T00:00:00.000Z"],
    ["actor", "uid:0"],
    ["run_id", newRunId()],
    ["kind", "daemon_started"],
    ["id", newRunId()],
  ] as const) {
    it(`is found by its ${field}`, () => {
      tamper(`UPDATE events SET ${field} = ? WHERE seq = 28`, value);
      expect(problems()[0]).toBe("28: its envelope was changed: the hash does not match");
    });
  }

  it("is found by its payload", () => {
    tamper(`UPDATE events SET payload = '{"reason":"B"}' WHERE seq = 28`);
    expect(problems()).toEqual(["28: its content was changed: the digest does not match"]);
  });

  it("is found where payload and digest were changed together", () => {
    tamper(`UPDATE events SET payload_digest = ? WHERE seq = 28`, "0".repeat(64));
    expect(problems()).toContain("28: its envelope was changed: the hash does not match");
  });

  it("is found where the row's own hash was made anew, by the next row", () => {
    const db = new Sqlite(path);
    const row = db.prepare("SELECT * FROM events WHERE seq = 28").get() as Record<string, string>;
    db.close();
    const { id = "", time = "", kind = "", prev_hash = "", payload_digest = "" } = row;
    const hash = linkHash(prev_hash, { seq: 28, id, time, actor: "uid:0", kind }, payload_digest);
    tamper("UPDATE events SET actor = 'uid:0', hash = ? WHERE seq = 28", hash);
    expect(problems()).toEqual([
      "29: it does not follow the event before it: rows were removed, inserted or moved",
    ]);
  });
});

describe("rows", () => {
  it("that are missing are found, with their numbers", () => {
    tamper("DELETE FROM events WHERE seq IN (28, 29)");
    expect(problems()).toEqual([
      "30: before it events 28 to 29 are missing",
      "30: it does not follow the event before it: rows were removed, inserted or moved",
    ]);
  });

  it("that are missing at the beginning are found", () => {
    tamper("DELETE FROM events WHERE seq <= 26");
    expect(problems()[0]).toBe("27: before it events 1 to 26 are missing");
  });

  it("that changed places are found", () => {
    tamper("UPDATE events SET seq = 99 WHERE seq = 28");
    tamper("UPDATE events SET seq = 28 WHERE seq = 29");
    tamper("UPDATE events SET seq = 29 WHERE seq = 99");
    expect(problems().length).toBeGreaterThanOrEqual(3);
  });

  it("that were inserted at the end without the machine's key go on unsigned, but a false link is found", () => {
    tamper(
      `INSERT INTO events SELECT 31, id, time, run_id, step_id, agent_id, parent, actor, kind,
         payload_digest, prev_hash, hash, salt, payload FROM events WHERE seq = 30`,
    );
    expect(problems()).toContain("31: its envelope was changed: the hash does not match");
  });

  it("that were inserted before the first are found", () => {
    tamper(
      `INSERT INTO events SELECT 0, id, time, run_id, step_id, agent_id, parent, actor, kind,
         payload_digest, prev_hash, hash, salt, payload FROM events WHERE seq = 30`,
    );
    expect(problems()).toContain("0: it was inserted before the first event");
  });
});

describe("a cut tail", () => {
  it("is found by the signed head", () => {
    tamper("DELETE FROM events WHERE seq > 28");
    expect(problems()).toEqual([
      "30: the journal ends with event 28, but event 30 was signed: its tail was cut",
    ]);
  });

  it("is found by a head from elsewhere where the heads beside the journal were cut too", () => {
    const witnessed = verifyJournal(path).signed_head;
    tamper("DELETE FROM events WHERE seq > 28");
    rmSync(heads);
    expect(verifyJournal(path).ok).toBe(true);
    expect(verifyJournal(path, witnessed === null ? [] : [witnessed]).problems).toEqual([
      {
        seq: 30,
        problem: "the journal ends with event 28, but event 30 was signed: its tail was cut",
      },
    ]);
  });

  it("cannot be hidden by a journal that was made anew as a whole", () => {
    const db = new Sqlite(path);
    let last = GENESIS.hash;
    for (const row of db.prepare("SELECT * FROM events ORDER BY seq").all() as EventText[]) {
      const { seq, id, time, run_id, step_id, agent_id, kind, payload_digest } = row;
      const envelope = { seq, id, time, ...set({ run_id, step_id, agent_id }), actor: "x", kind };
      const hash = linkHash(last, envelope, payload_digest);
      const update = "UPDATE events SET actor = 'x', prev_hash = ?, hash = ? WHERE seq = ?";
      db.prepare(update).run(last, hash, seq);
      last = hash;
    }
    db.close();
    expect(problems()).toContain("30: the machine signed another hash for this event");
  });
});

interface EventText {
  readonly seq: number;
  readonly id: string;
  readonly time: string;
  readonly run_id: string | null;
  readonly step_id: string | null;
  readonly agent_id: string | null;
  readonly kind: string;
  readonly payload_digest: string;
}

function set(parts: Readonly<Record<string, string | null>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(parts).filter((part): part is [string, string] => part[1] !== null),
  );
}

describe("signed heads", () => {
  it("with a false signature are found", () => {
    writeFileSync(heads, readFileSync(heads, "utf8").replace('"seq":30', '"seq":29'));
    expect(problems()).toContain("29: its signed head has a false signature");
  });

  it("of another machine's key are found", async () => {
    const other = join(dir, "other");
    const foreign = await openJournal({
      path: join(other, "aaos.db"),
      entropy,
      redact: (text) => text,
    });
    await foreign.append([note("a")]);
    await foreign.close();
    copyFileSync(join(other, "audit-heads.ndjson"), heads);
    expect(problems()).toContain("1: its signed head has a false signature");
  });

  it("that are no heads are found, but a line torn by a crash is none", () => {
    appendFileSync(heads, '{"seq":31,"ha');
    expect(problems()).toEqual([]);
    appendFileSync(heads, "\n");
    expect(problems()).toEqual(["0: line 2 of the signed heads is malformed"]);
  });

  it("after a torn line stand alone", async () => {
    appendFileSync(heads, '{"seq":31,"ha');
    const journal = await openJournal({ path, entropy, redact: (text) => text });
    await journal.append([note("e")]);
    await journal.close();
    expect(verifyJournal(path)).toMatchObject({ ok: true, signed_head: { seq: 31 } });
  });

  it("without the machine's key cannot be verified, and that is said", () => {
    rmSync(join(dir, "audit-key.pem"));
    expect(problems()).toEqual([
      `0: the key ${join(dir, "audit-key.pem")} is missing: no head can be verified`,
    ]);
  });

  it("are signed within about a second of an event, without a close, and given to whom keeps them elsewhere", async () => {
    const given: number[] = [];
    const journal = await openJournal({
      path,
      entropy,
      redact: (text) => text,
      onHead: (head) => given.push(head.seq),
    });
    await journal.append([note("e")]);
    await journal.append([note("f")]);
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    expect(given).toEqual([32]);
    expect(verifyJournal(path).signed_head?.seq).toBe(32);
    await journal.close();
    expect(given, "nothing new at close, no new head").toEqual([32]);
  });
});

describe("erased content", () => {
  it("leaves the chain whole where an event says so", async () => {
    const journal = await openJournal({ path, entropy, redact: (text) => text });
    await journal.append([
      {
        kind: "content_erased",
        actor: "daemon",
        run_id: runId,
        first_seq: 1,
        last_seq: 30,
        reason: "retention",
      },
    ]);
    await journal.close();
    expect(verifyJournal(path)).toMatchObject({ ok: true, problems: [], erased: 13, events: 31 });
    const db = new Sqlite(path, { readonly: true });
    const left = db.prepare(
      "SELECT count(*) AS n FROM events WHERE run_id = ? AND payload IS NOT NULL",
    );
    expect(left.get(runId)).toEqual({ n: 1 });
    db.close();
  });

  it("takes what the tables hold of the run with it, and is refused while the run goes on", async () => {
    const journal = await openJournal({ path, entropy, redact: (text) => text });
    const [first, second] = [newRunId(), newRunId()];
    const erase = (run_id: RunId) =>
      journal.append([
        {
          ...{ kind: "content_erased", actor: "daemon", run_id },
          ...{ first_seq: 1, last_seq: 30, reason: "retention" },
        } as const,
      ]);
    await journal.append([submitted(first), submitted(second)]);
    await expect(erase(first)).rejects.toMatchObject({ code: "illegal_transition" });
    await erase(runId);
    await journal.close();
    const db = new Sqlite(path, { readonly: true });
    for (const table of ["runs", "steps", "outputs", "agents", "approvals"]) {
      const left = db.prepare(`SELECT count(*) AS n FROM ${table} WHERE run_id = ?`);
      expect(left.get(runId), table).toEqual({ n: 0 });
    }
    expect(db.prepare("SELECT count(*) AS n FROM runs").get()).toEqual({ n: 3 });
    db.close();
    expect(problems()).toEqual([]);
  });

  it("is found where no event says so", () => {
    tamper("UPDATE events SET payload = NULL, salt = NULL WHERE seq = 28");
    expect(problems()).toEqual(["28: its content is gone, and no event says why"]);
  });

  it("cannot reach forward: no later event is erased by an earlier one", async () => {
    const journal = await openJournal({ path, entropy, redact: (text) => text });
    const forward = journal.append([
      { kind: "content_erased", actor: "daemon", first_seq: 1, last_seq: 31, reason: "x" },
    ]);
    await expect(forward).rejects.toMatchObject({ code: "illegal_transition" });
    await journal.close();
  });
});

describe("tables that say other than the events", () => {
  for (const [what, sql] of [
    ["a run's state", "UPDATE runs SET state = 'failed' WHERE run_id = ?"],
    ["a run's cost", "UPDATE runs SET usd = 0 WHERE run_id = ?"],
    ["a run that is gone", "DELETE FROM runs WHERE run_id = ?"],
    ["a step's state", "UPDATE steps SET state = 'failed' WHERE run_id = ?"],
    ["a step's outputs", "DELETE FROM outputs WHERE run_id = ?"],
    ["an agent's state", "UPDATE agents SET state = 'running' WHERE run_id = ?"],
  ] as const) {
    it(`are found: ${what}`, () => {
      tamper(sql, runId);
      expect(problems().join()).toMatch(
        /^0: table (runs|steps|outputs|agents) is not what the events say/,
      );
    });
  }
});
