import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { verifyJournal } from "../../audit/verify.js";
import type { RunId } from "../../protocol/ids.js";
import {
  allEvents,
  type JournalFixture,
  journalFixture,
  newAgentId,
  newRunId,
  spawned,
  submitted,
  wholeRun,
} from "../../test/journal-fixture.js";
import { pruneJournal } from "./prune-journal.js";
import { sweepWorkspaces } from "./sweep-workspaces.js";

let fixture: JournalFixture;
let exportsDir: string;
const LATER = "2999-01-01T00:00:00.000Z";
const NEVER = new AbortController().signal;

beforeEach(async () => {
  fixture = await journalFixture();
  exportsDir = join(fixture.dir, "state", "exports");
});
afterEach(async () => {
  await fixture[Symbol.asyncDispose]();
});

async function ended(): Promise<RunId> {
  const id = newRunId();
  await fixture.journal.append(wholeRun(id, newAgentId()));
  return id;
}

async function prune(before = LATER, signal = NEVER): Promise<readonly string[]> {
  const told: string[] = [];
  const log = (_level: string, message: string) => void told.push(message);
  const { journal, reader } = fixture;
  await pruneJournal({ journal, reader, log, exportsDir }, before, signal);
  return told;
}

const eventsOf = (run_id: string) =>
  fixture.reader.events({ run_id, after_seq: 0, limit: 1_000, reverse: false });

describe("journal retention", () => {
  it("writes a run out, erases its content and leaves a chain that verifies", async () => {
    const [old, other] = [await ended(), newRunId()];
    await fixture.journal.append([submitted(other, "goes on")]);
    const before = eventsOf(old);
    expect(await prune()).toEqual([]);

    const file = join(exportsDir, `${old}.ndjson.gz`);
    const bytes = readFileSync(file);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const lines = gunzipSync(bytes).toString().trimEnd().split("\n");
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual(before);

    const [erasure] = allEvents(fixture.reader, ["content_erased"]);
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    const exported = { file: `exports/${old}.ndjson.gz`, sha256 };
    expect(erasure).toMatchObject({ run_id: old, export: exported });
    const after = eventsOf(old);
    expect(after.slice(0, before.length).every((event) => "erased" in event)).toBe(true);
    expect(after.map(({ seq }) => seq)).toEqual([...before.map(({ seq }) => seq), erasure?.seq]);
    expect(fixture.reader.run(old)).toBeUndefined();
    expect(fixture.reader.agents({ all: true })).toEqual([]);
    expect(fixture.reader.run(other)).toMatchObject({ goal: "goes on", state: "queued" });
    expect(verifyJournal(fixture.path)).toMatchObject({
      ...{ ok: true, problems: [], erased: before.length },
    });
  });

  it("is done once, and goes on where a daemon before was cut short", async () => {
    const old = await ended();
    mkdirSync(exportsDir);
    writeFileSync(join(exportsDir, `${old}.ndjson.gz.new`), "cut sh");
    writeFileSync(join(exportsDir, `${old}.ndjson.gz`), "of an erasure that was never written");
    await prune();
    expect(gunzipSync(readFileSync(join(exportsDir, `${old}.ndjson.gz`))).length).toBeGreaterThan(
      9,
    );
    await prune();
    expect(allEvents(fixture.reader, ["content_erased"])).toHaveLength(1);
    expect(existsSync(join(exportsDir, `${old}.ndjson.gz.new`))).toBe(false);
  });

  it("keeps what ended since, what goes on, and a run of which an agent lives", async () => {
    await fixture.journal.append([submitted(newRunId())]);
    const withAgent = await ended();
    await fixture.journal.append([spawned(withAgent, newAgentId())]);
    await prune();
    await ended();
    await prune("2020-01-01T00:00:00.000Z");
    await prune(LATER, AbortSignal.abort());
    expect(allEvents(fixture.reader, ["content_erased"])).toEqual([]);
    expect(fixture.reader.runs({ all: true })).toHaveLength(3);
  });

  it("erases nothing that could not be written, and says so", async () => {
    const old = await ended();
    writeFileSync(exportsDir, "no folder");
    expect(await prune()).toEqual(["a run could not be pruned"]);
    expect(fixture.reader.run(old)).toBeDefined();
    expect(allEvents(fixture.reader, ["content_erased"])).toEqual([]);
  });

  it("leaves enough to know when a workspace may go", async () => {
    const old = await ended();
    const workspaceBase = join(fixture.dir, "workspace");
    mkdirSync(join(workspaceBase, old), { recursive: true });
    await prune();
    const { journal, reader } = fixture;
    const deps = { journal, reader, log: () => undefined, workspaceBase };
    await sweepWorkspaces(deps, "2020-01-01T00:00:00.000Z", NEVER);
    expect(existsSync(join(workspaceBase, old))).toBe(true);
    await sweepWorkspaces(deps, LATER, NEVER);
    expect(existsSync(join(workspaceBase, old))).toBe(false);
    expect(verifyJournal(fixture.path).problems).toEqual([]);
  });
});
