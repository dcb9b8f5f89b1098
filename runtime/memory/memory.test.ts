import { rmSync, writeFileSync } from "node:fs";
import { afterEach, describe, expect, it } from "vitest";
import { verifyJournal } from "../audit/verify.js";
import {
  allEvents,
  journalFixture,
  newAgentId,
  newRunId,
  runMoved,
  submitted,
  wholeRun,
} from "../test/journal-fixture.js";
import { openTestMemory, type TestMemory } from "../test/memory-fixture.js";
import { scriptedEmbeddings } from "../test/scripted-embeddings.js";
import type { EmbedderChoice } from "./embedder.js";

const SIGNAL = new AbortController().signal;
const WORDS: EmbedderChoice = { ok: false, reason: "words alone" };
const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one[Symbol.asyncDispose]();
});

async function opened(options: Partial<Parameters<typeof openTestMemory>[0]> = {}) {
  const memory = await openTestMemory({ embedder: WORDS, ...options });
  open.push(memory);
  return memory;
}

async function query(
  memory: TestMemory,
  owner: string,
  text: string,
  category?: "fact" | "decision",
) {
  const wanted = { query: text, limit: 5, ...(category === undefined ? {} : { category }) };
  const found = await memory.portOf(owner).query(wanted, SIGNAL);
  if (!found.ok) throw new Error(found.message);
  return found.value.results.map(({ content }) => content);
}

describe("A15 an agent's memory", () => {
  it("is found right after it was stored, by category where one is named, and is gone after it was deleted", async () => {
    const memory = await opened();
    const id = await memory.store("analyst", "The ledger needs Java 11.");
    await memory.store("analyst", "We chose Go instead of Java.", "decision");
    expect(await query(memory, "analyst", "java")).toHaveLength(2);
    expect(await query(memory, "analyst", "java", "decision")).toEqual([
      "We chose Go instead of Java.",
    ]);
    expect(await memory.portOf("analyst").delete(id)).toEqual({
      ok: true,
      value: { memory_id: id },
    });
    expect(await query(memory, "analyst", "ledger")).toEqual([]);
    expect(verifyJournal(memory.fixture.path).problems).toEqual([]);
  });

  it("belongs to its identity alone: nobody else finds, replaces or deletes it", async () => {
    const memory = await opened();
    const id = await memory.store("alice", "The password policy asks for fourteen characters.");
    expect(await query(memory, "bob", "password policy")).toEqual([]);
    expect(await memory.portOf("bob").delete(id)).toMatchObject({ ok: false, kind: "not_found" });
    const over = { content: "taken", category: "fact", replaces: id } as const;
    expect(await memory.portOf("bob").store(over, SIGNAL)).toMatchObject({ kind: "not_found" });
    expect(await memory.ask("password policy")).toHaveLength(1);
    // An owner's name is no search syntax either.
    expect(await query(memory, 'x" OR "alice', "password policy")).toEqual([]);
  });

  it("A22-16 replacing is atomic: at every moment exactly one of old and new is there", async () => {
    const memory = await opened();
    const { journal, reader } = memory.fixture;
    const first = await memory.store("alice", "The port is 1000.");
    const seen: number[] = [];
    const unsubscribe = journal.subscribe(() => seen.push(reader.memoryCount("alice")));
    const port = memory.portOf("alice");
    const both = await Promise.all(
      [1001, 1002].map((n) =>
        port.store({ content: `The port is ${n}.`, category: "fact", replaces: first }, SIGNAL),
      ),
    );
    unsubscribe();
    expect(both.map(({ ok }) => ok).sort()).toEqual([false, true]);
    expect(both.find(({ ok }) => !ok)).toMatchObject({ kind: "not_found" });
    expect(seen.every((count) => count === 1)).toBe(true);
    expect(reader.memories({ owner: "alice", limit: 9 })).toMatchObject([{ replaces: first }]);
    // Deletion and storing are one append: both or none.
    const [deleted] = allEvents(reader, ["memory_deleted"]);
    const stored = allEvents(reader, ["memory_stored"]).at(-1);
    expect(stored?.seq).toBe((deleted?.seq ?? 0) + 1);
  });

  it("A24-30 keeps its caps: the record that was used longest ago makes room, and too large a content is refused", async () => {
    const memory = await opened();
    const port = memory.portOf("alice", { max_records: 3, max_content_bytes: 40 });
    const put = async (content: string) => port.store({ content, category: "fact" }, SIGNAL);
    for (const animal of ["badger", "otter", "heron"]) await put(`There is a ${animal}.`);
    expect(await query(memory, "alice", "badger")).toHaveLength(1);
    expect(await put("There is a beaver.")).toMatchObject({ ok: true, value: { evicted: 1 } });
    const left = memory.fixture.reader.memories({ owner: "alice", limit: 9 }).map((m) => m.content);
    expect(left).toEqual(["There is a beaver.", "There is a heron.", "There is a badger."]);
    expect(await put("x".repeat(41))).toMatchObject({ ok: false, kind: "too_large" });
    // Another identity has room of its own.
    await memory.store("bob", "There is an owl.");
    expect(memory.fixture.reader.memoryCount("alice")).toBe(3);
    expect(verifyJournal(memory.fixture.path).problems).toEqual([]);
  });

  it("has no secret in it: it is redacted before it is stored", async () => {
    const memory = await opened({ redact: (text) => text.replaceAll("sk-secret", "[redacted]") });
    await memory.store("alice", "The key is sk-secret.");
    expect(await query(memory, "alice", "key")).toEqual(["The key is [redacted]."]);
  });

  it("that was not used for longer than the retention is erased", async () => {
    let now = Date.parse("2026-01-01T00:00:00Z");
    const fixture = await journalFixture();
    const memory = await opened({ retentionDays: 30, now: () => now, fixture });
    // Events bear the journal's time, which is today: so the clock of the sweep is moved, not theirs.
    await memory.store("alice", "Old things fade.");
    expect(await memory.memory.sweep()).toBe(0);
    now = Date.now() + 31 * 86_400_000;
    expect(await memory.memory.sweep()).toBe(1);
    expect(await memory.ask("old things")).toEqual([]);
    expect(JSON.stringify(allEvents(fixture.reader))).not.toContain("Old things");
    expect(verifyJournal(fixture.path)).toMatchObject({ ok: true, erased: 1 });
  });
});

describe("forgetting", () => {
  it("erases the content, all that it replaced, and what passed through transcripts of runs that have ended; the chain still verifies", async () => {
    const memory = await opened();
    const { journal, reader, path } = memory.fixture;
    const secret = 'The customer "Meier" lives at Lindenweg 7.';
    const [runId, agentId, under] = [newRunId(), newAgentId(), newRunId()];
    await journal.append(wholeRun(runId, agentId));
    await journal.append([
      {
        kind: "message_appended",
        ...{ actor: "agent", run_id: runId, agent_id: agentId, index: 0 },
        message: { role: "user", text: `found: ${JSON.stringify({ content: secret })}` },
      },
      submitted(under),
      {
        kind: "message_appended",
        ...{ actor: "agent", run_id: under, index: 0 },
        message: { role: "user", text: secret },
      },
    ]);
    const first = await memory.store("alice", secret);
    const port = memory.portOf("alice");
    const second = await port.store(
      { content: "The customer moved away.", category: "fact", replaces: first },
      SIGNAL,
    );
    await memory.store("alice", "Something else entirely.");
    const id = second.ok ? second.value.memory_id : "";
    const report = await memory.memory.forget({ memory_ids: [id], owner: null }, "uid:1000");
    expect(report).toEqual({ memories: 1, erased: 3, kept: 1 });
    expect(await memory.ask("customer Lindenweg")).toEqual([]);
    await journal.append([runMoved(under, { move: "cancel", from: "queued", to: "cancelled" })]);
    expect(await memory.memory.forget({ memory_ids: [id], owner: null }, "uid:1000")).toMatchObject(
      { erased: 0 },
    );
    const again = await memory.memory.forget({ memory_ids: [], owner: "alice" }, "uid:1000");
    expect(again.memories).toBe(1);
    expect(reader.memoryCount("alice")).toBe(0);
    expect(verifyJournal(path).problems).toEqual([]);
    expect(reader.run(runId)?.state).toBe("succeeded");
  });

  it("erasing a run's content leaves what its agents remember", async () => {
    const memory = await opened();
    const { journal, reader, path } = memory.fixture;
    const [runId, agentId] = [newRunId(), newAgentId()];
    await journal.append(wholeRun(runId, agentId));
    const port = memory.memory.portFor(
      { owner: "alice", refused: null, store_refused: null, max_records: 9, max_content_bytes: 99 },
      (...bodies) =>
        journal.append(
          bodies.map((body) => ({ actor: "agent", run_id: runId, agent_id: agentId, ...body })),
        ),
    );
    await port.store({ content: "The moon is far.", category: "fact" }, SIGNAL);
    await port.query({ query: "moon", limit: 5 }, SIGNAL);
    const last_seq = reader.run(runId)?.last_seq ?? 0;
    await journal.append([
      {
        kind: "content_erased",
        actor: "daemon",
        run_id: runId,
        first_seq: 1,
        last_seq,
        reason: "old",
      },
    ]);
    expect(await memory.ask("moon")).toEqual(["The moon is far."]);
    expect(verifyJournal(path).problems).toEqual([]);
  });
});

describe("the index", () => {
  it("is made anew from the journal where it is missing or damaged", async () => {
    const fixture = await journalFixture();
    const before = await openTestMemory({ embedder: WORDS, fixture });
    await before.store("alice", "The lighthouse blinks twice.");
    expect(await before.ask("lighthouse")).toHaveLength(1);
    await before.memory.close();
    for (const damage of [
      () => rmSync(before.index),
      () => writeFileSync(before.index, "no database at all"),
    ]) {
      damage();
      for (const end of ["-wal", "-shm"]) rmSync(before.index + end, { force: true });
      const after = await openTestMemory({ embedder: WORDS, fixture });
      expect(await after.ask("lighthouse")).toEqual(["The lighthouse blinks twice."]);
      await after.memory.close();
    }
    await fixture[Symbol.asyncDispose]();
  });

  it("never mixes vectors of two models: a changed one embeds all again in the background", async () => {
    const server = await scriptedEmbeddings();
    open.push(server);
    const fixture = await journalFixture();
    const one = await openTestMemory({ embedder: server.choice("narrow"), fixture });
    for (const n of [1, 2, 3]) await one.store("alice", `Fact number ${n} about otters.`);
    await one.memory.settled();
    expect(await one.memory.status()).toMatchObject({ vectors: 3, model: "vectors/narrow" });
    await one.memory.close();
    const two = await openTestMemory({ embedder: server.choice("wide"), fixture });
    open.push({ [Symbol.asyncDispose]: () => two.memory.close() });
    await two.memory.settled();
    expect(await two.memory.status()).toMatchObject({
      vectors: 3,
      model: "vectors/wide",
      problem: null,
    });
    const wide = server.asked.filter(({ model }) => model === "wide").map(({ text }) => text);
    expect(wide.filter((text) => text.startsWith("Fact number"))).toHaveLength(3);
    expect((await two.ask("Fact number 2 about otters."))[0]).toContain("number 2");
  });

  it("searches words where the model does not answer, says so, and catches up later", async () => {
    const server = await scriptedEmbeddings();
    open.push(server);
    const memory = await opened({ embedder: server.choice("narrow") });
    server.fail(503);
    await memory.store("alice", "The dam holds forty metres of water.");
    await memory.memory.settled();
    const found = await memory.portOf("alice").query({ query: "dam", limit: 5 }, SIGNAL);
    expect(found).toMatchObject({
      ok: true,
      value: { results: [{}], text_only: expect.stringContaining("503") as unknown },
    });
    expect(await memory.memory.status()).toMatchObject({
      vectors: 0,
      problem: expect.stringContaining("answered 503") as unknown,
    });
    server.fail(null);
    await memory.store("alice", "The dam was built in 1931.");
    await memory.memory.settled();
    expect(await memory.memory.status()).toMatchObject({ vectors: 2, problem: null });
  });
});
