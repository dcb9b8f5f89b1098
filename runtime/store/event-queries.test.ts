import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { AuditFilter } from "../protocol/control.js";
import {
  type JournalFixture,
  journalFixture,
  newAgentId,
  newRunId,
  note,
  wholeRun,
} from "../test/journal-fixture.js";

let f: JournalFixture;
const [runA, runB] = [newRunId(), newRunId()];
const [agentA, agentB] = [newAgentId(), newAgentId()];

/** 13 events of A, a note, 13 of B, with a moment between each. */
beforeAll(async () => {
  f = await journalFixture();
  await f.journal.append(wholeRun(runA, agentA));
  await new Promise((resolve) => setTimeout(resolve, 20));
  await f.journal.append([note("between")]);
  await new Promise((resolve) => setTimeout(resolve, 20));
  await f.journal.append(wholeRun(runB, agentB));
});
afterAll(async () => {
  await f[Symbol.asyncDispose]();
});

function seqs(filter: Partial<AuditFilter>): readonly number[] {
  return f.reader.events(AuditFilter.parse(filter)).map((event) => event.seq);
}

const range = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, i) => from + i);

describe("events", () => {
  it("come oldest first, all of them, where the filter says nothing", () => {
    expect(seqs({})).toEqual(range(1, 27));
  });
  it("come newest first where it says reverse, and the newest within the limit", () => {
    expect(seqs({ reverse: true, limit: 3 })).toEqual([27, 26, 25]);
    expect(seqs({ limit: 3 })).toEqual([1, 2, 3]);
  });
  it("begin after a seq", () => {
    expect(seqs({ after_seq: 25 })).toEqual([26, 27]);
    expect(seqs({ after_seq: 27 })).toEqual([]);
  });
  it("are those of one run or one agent", () => {
    expect(seqs({ run_id: runB })).toEqual(range(15, 27));
    expect(seqs({ agent_id: agentA })).toEqual([6, 7, 8, 9, 10]);
    expect(seqs({ run_id: runB, agent_id: agentA })).toEqual([]);
  });
  it("are those of the kinds named", () => {
    expect(seqs({ kind: ["run_submitted", "daemon_stopped"] })).toEqual([1, 14, 15]);
    expect(seqs({ kind: [] })).toEqual([]);
  });
  it("lie between two times, both included, in any time zone", () => {
    const [between] = f.reader.events(AuditFilter.parse({ after_seq: 13, limit: 1 }));
    const time = between?.time ?? "";
    const other = `${new Date(Date.parse(time) + 7_200_000).toISOString().slice(0, -1)}+02:00`;
    expect(seqs({ since: time, until: time })).toEqual([14]);
    expect(seqs({ since: other, until: other })).toEqual([14]);
    expect(seqs({ since: time })).toEqual(range(14, 27));
    expect(seqs({ until: time })).toEqual(range(1, 14));
    expect(seqs({ since: "2099-01-01T00:00:00Z" })).toEqual([]);
    expect(seqs({ until: "2000-01-01T00:00:00Z" })).toEqual([]);
  });
  it("match every part of the filter at once", () => {
    expect(
      seqs({ run_id: runB, kind: ["run_state_changed"], after_seq: 16, limit: 1, reverse: true }),
    ).toEqual([27]);
  });
});

describe("an id", () => {
  it("is found whole, by its beginning, by its end, in either case; a whole one comes alone", () => {
    expect(f.reader.matchRun(runA)).toEqual([runA]);
    expect(f.reader.matchRun(runA.slice(-6).toLowerCase())).toEqual([runA]);
    expect(f.reader.matchRun(runA.slice(0, 6))).toEqual([runB, runA]);
    expect(f.reader.matchAgent(agentB.slice(-6))).toEqual([agentB]);
    expect(f.reader.matchRun(agentB)).toEqual([]);
  });
  it("is never a pattern", () => {
    for (const query of ["%%%%", "____", "....", "' OR 1=1 --"])
      expect(f.reader.matchRun(query)).toEqual([]);
  });
});
