import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { NewEvent } from "../../protocol/event.js";
import type { AgentId, RunId } from "../../protocol/ids.js";
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
import { sweepWorkspaces } from "./sweep-workspaces.js";

let fixture: JournalFixture;
let base: string;
let outside: string;
const LATER = "2999-01-01T00:00:00.000Z";

beforeEach(async () => {
  fixture = await journalFixture();
  base = join(fixture.dir, "workspace");
  outside = join(fixture.dir, "outside");
  mkdirSync(outside);
  writeFileSync(join(outside, "precious"), "kept");
});
afterEach(async () => {
  await fixture[Symbol.asyncDispose]();
});

function workspaceOf(id: string): string {
  const dir = join(base, id);
  mkdirSync(join(dir, "deep", "er"), { recursive: true });
  writeFileSync(join(dir, "deep", "er", "notes"), "scratch");
  return dir;
}

async function ended(): Promise<RunId> {
  const id = newRunId();
  await fixture.journal.append(wholeRun(id, newAgentId()));
  return id;
}

async function sweep(before = LATER, signal = new AbortController().signal): Promise<string[]> {
  const told: string[] = [];
  const log = (_level: string, message: string) => void told.push(message);
  const { journal, reader } = fixture;
  await sweepWorkspaces({ journal, reader, log, workspaceBase: base }, before, signal);
  return told;
}

function removed(): readonly unknown[] {
  return allEvents(fixture.reader, ["workspace_removed"]).map(
    (event) => (event as { workspace?: string }).workspace,
  );
}

describe("a sweep of the workspaces", () => {
  it("U6 removes the folder of a run that ended before, with all below it, and journals that", async () => {
    const id = await ended();
    const dir = workspaceOf(id);
    expect(await sweep()).toEqual([]);
    expect(existsSync(dir)).toBe(false);
    expect(removed()).toEqual([id]);
    await sweep();
    expect(removed(), "nothing left to remove").toEqual([id]);
  });

  it("A22-22 removes a link to a directory outside and leaves that directory as it is", async () => {
    const id = await ended();
    const dir = workspaceOf(id);
    symlinkSync(outside, join(dir, "link"));
    symlinkSync(outside, join(dir, "deep", "er", "link"));
    symlinkSync("../../outside", join(dir, "deep", "relative"));
    symlinkSync(join(outside, "precious"), join(dir, "file"));
    expect(await sweep()).toEqual([]);
    expect(existsSync(dir)).toBe(false);
    expect(readFileSync(join(outside, "precious"), "utf8")).toBe("kept");
  });

  it("A22-22 leaves a link alone that stands where a workspace should be", async () => {
    const id = await ended();
    mkdirSync(base, { recursive: true });
    symlinkSync(outside, join(base, id));
    await sweep();
    expect(lstatSync(join(base, id)).isSymbolicLink()).toBe(true);
    expect(readFileSync(join(outside, "precious"), "utf8")).toBe("kept");
    expect(removed()).toEqual([]);
  });

  it("opens up folders that an agent locked", async () => {
    const dir = workspaceOf(await ended());
    chmodSync(join(dir, "deep", "er"), 0);
    chmodSync(join(dir, "deep"), 0o500);
    expect(await sweep()).toEqual([]);
    expect(existsSync(dir)).toBe(false);
  });

  it("never touches a run that goes on, one that ended since, or what the journal does not know", async () => {
    const goesOn = newRunId();
    await fixture.journal.append([submitted(goesOn)]);
    const kept = [goesOn, newRunId(), "lost+found"].map(workspaceOf);
    await sweep();
    const recent = workspaceOf(await ended());
    await sweep("2020-01-01T00:00:00.000Z");
    for (const dir of [...kept, recent]) expect(existsSync(join(dir, "deep/er/notes"))).toBe(true);
    expect(removed()).toEqual([]);
  });

  it("keeps the workspace of an agent that lives, and removes that of one that ended", async () => {
    const of = (agent_id: AgentId): NewEvent => {
      const { run_id: _run, ...event } = spawned(newRunId(), agent_id);
      return event;
    };
    const [living, gone] = [newAgentId(), newAgentId()];
    const stopped = { kind: "agent_stopped", actor: "daemon", reason: "completed" } as const;
    await fixture.journal.append([of(living), of(gone), { ...stopped, agent_id: gone }]);
    const [stays, goes] = [workspaceOf(living), workspaceOf(gone)];
    await sweep();
    expect([existsSync(stays), existsSync(goes)]).toEqual([true, false]);
    expect(removed()).toEqual([gone]);
  });

  it("ends between two folders when it is to", async () => {
    const dir = workspaceOf(await ended());
    await sweep(LATER, AbortSignal.abort());
    expect(existsSync(dir)).toBe(true);
  });

  it("finds nothing where no run ever had a workspace", async () => {
    expect(await sweep()).toEqual([]);
  });
});
