import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { chooseEmbedder } from "../embeddings.js";
import { NATIVE_BUILD } from "../test/confined.js";
import { openTestMemory, type TestMemory, testConfinement } from "../test/memory-fixture.js";
import { recallSet } from "../test/recall-set.js";

const SET = recallSet();
const PROGRAM_DIR = fileURLToPath(new URL("..", import.meta.url)).replace(/\/$/, "");
let memory: TestMemory;

beforeAll(async () => {
  const base = await mkdtemp(join(tmpdir(), "aaos-recall-"));
  await mkdir(join(base, "root/var/lib/aaos"), { recursive: true });
  const confinement = await testConfinement(NATIVE_BUILD, base);
  const file = { providers: {}, models: {}, aliases: {} };
  const choice = chooseEmbedder({ file, credential: () => undefined }, confinement, PROGRAM_DIR);
  if (!choice.ok) throw new Error(choice.reason);
  memory = await openTestMemory({ embedder: choice });
  memory.closing(async () => {
    await confinement.close();
    await rm(base, { recursive: true, force: true });
  });
  for (const { text } of SET.facts) await memory.store("operator", text);
  await memory.memory.settled();
}, 300_000);
afterAll(async () => {
  await memory[Symbol.asyncDispose]();
});

/** The part of the questions whose answer is among the first five. */
async function recall(search: (question: string) => Promise<readonly string[]>): Promise<number> {
  let hits = 0;
  for (const { text, answer } of SET.questions) {
    const fact = SET.facts.find(({ name }) => name === answer)?.text ?? "";
    if ((await search(text)).slice(0, 5).includes(fact)) hits += 1;
  }
  return hits / SET.questions.length;
}

describe("recall with the local model", () => {
  it("A24-30 A15 hybrid search finds at least 85 of 100 answers among five, and more than words or vectors alone", async () => {
    expect(SET.facts).toHaveLength(200);
    expect(SET.questions).toHaveLength(60);
    const hybrid = await recall((question) => memory.ask(question));
    const words = await recall((question) => memory.askByWords(question));
    const vectors = await recall((question) => memory.askByVectors(question));
    expect(hybrid).toBeGreaterThanOrEqual(0.85);
    expect(hybrid).toBeGreaterThan(words);
    expect(hybrid).toBeGreaterThan(vectors);
  }, 300_000);

  it("the model runs confined, in a process of its own, and is told by doctor's line", async () => {
    const status = await memory.memory.status();
    expect(status).toMatchObject({ memories: 200, vectors: 200, problem: null });
    expect(status.model).toMatch(/^local:@energetic-ai\/model-embeddings-en@/);
  });
});
