import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Confinement, openConfinement, startLauncher } from "../confinement.js";
import type { EmbedderChoice } from "../memory/embedder.js";
import type { Memory } from "../memory/memory.js";
import { openMemory } from "../memory/open-memory.js";
import { vectorTables } from "../memory/vectors.js";
import type { MemoryCategory, MemoryPort, MemoryRules } from "../protocol/memory.js";
import { places } from "../protocol/places.js";
import { PolicyFile } from "../protocol/policy-file.js";
import { Settings } from "../protocol/settings.js";
import { openMemoryIndex } from "../store/open-memory-index.js";
import { entropy, type JournalFixture, journalFixture } from "./journal-fixture.js";

/** A memory over a real journal, on disk; `index` is where its search index lies. */
export interface TestMemory extends AsyncDisposable {
  readonly fixture: JournalFixture;
  readonly index: string;
  readonly memory: Memory;
  readonly portOf: (owner: string, rules?: Partial<MemoryRules>) => MemoryPort;
  /** Stores and returns the id. */
  readonly store: (owner: string, content: string, category?: MemoryCategory) => Promise<string>;
  /** Contents, best first, by each kind of search. */
  readonly ask: (question: string, limit?: number) => Promise<readonly string[]>;
  readonly askByWords: (question: string) => Promise<readonly string[]>;
  readonly askByVectors: (question: string) => Promise<readonly string[]>;
  /** Called after the memory was closed. */
  readonly closing: (last: () => Promise<void>) => void;
}

export interface TestMemoryOptions {
  readonly embedder: EmbedderChoice;
  readonly fixture?: JournalFixture;
  readonly retentionDays?: number;
  readonly now?: () => number;
  readonly redact?: (text: string) => string;
}

const FOREVER = new AbortController().signal;

export async function openTestMemory(options: TestMemoryOptions): Promise<TestMemory> {
  const { embedder, retentionDays = 0 } = options;
  const fixture = options.fixture ?? (await journalFixture(options.redact));
  const { journal, reader, path: database } = fixture;
  const index = `${database}-memory-index`;
  const common = {
    ...{ journal, reader, database, retentionDays, log: () => undefined },
    entropy: { ...entropy, now: options.now ?? entropy.now },
  };
  const memory = openMemory({ ...common, index, embedder });
  const words = openMemory({
    ...common,
    index: `${index}-words`,
    embedder: { ok: false, reason: "words alone" },
  });
  const last: (() => Promise<void>)[] = [];
  const portOf = (owner: string, rules: Partial<MemoryRules> = {}) =>
    memory.portFor(
      {
        ...{ owner, refused: null, store_refused: null },
        ...{ max_records: 10_000, max_content_bytes: 4_096, ...rules },
      },
      (...bodies) => journal.append(bodies.map((body) => ({ actor: "agent", ...body }))),
    );
  const asked = async (from: Memory, query: string, limit = 5) => {
    const wanted = { query, owner: null, category: null, limit };
    const { results } = await from.query(wanted, "uid:1000", FOREVER);
    return results.map(({ content }) => content);
  };
  return {
    ...{ fixture, index, memory, portOf },
    store: async (owner, content, category = "fact") => {
      const stored = await portOf(owner).store({ content, category }, FOREVER);
      if (!stored.ok) throw new Error(stored.message);
      return stored.value.memory_id;
    },
    ask: (question, limit) => asked(memory, question, limit),
    askByWords: (question) => asked(words, question),
    askByVectors: (question) => nearest(embedder, index, fixture, question),
    closing: (close) => last.push(close),
    [Symbol.asyncDispose]: async () => {
      await words.close();
      await memory.close();
      for (const close of last) await close();
      await fixture[Symbol.asyncDispose]();
    },
  };
}

/** The nearest by their vectors alone, asked of the index itself. */
async function nearest(
  choice: EmbedderChoice,
  index: string,
  { reader }: JournalFixture,
  question: string,
): Promise<readonly string[]> {
  if (!choice.ok) return [];
  const { model, embed } = choice.embedder;
  const [values = new Float32Array()] = await embed([question], FOREVER);
  const { db } = openMemoryIndex(index);
  try {
    const wanted = { owner: null, category: null, limit: 5 };
    const ids = vectorTables(db).nearest({ model, values }, wanted);
    return ids.flatMap((id) => {
      const row = db.prepare("SELECT memory_id FROM entries WHERE entry_id = ?").get(id);
      return reader.memory((row as { memory_id: string }).memory_id)?.content ?? [];
    });
  } finally {
    db.close();
  }
}

/** Real confinement without any agent, for what the daemon itself runs confined. */
export async function testConfinement(nativeDir: string, base: string): Promise<Confinement> {
  return openConfinement({
    launcher: startLauncher(nativeDir),
    nativeDir,
    programDir: fileURLToPath(new URL("..", import.meta.url)).replace(/\/$/, ""),
    places: places({ root: join(base, "root") }),
    settings: Settings.parse({}),
    policy: PolicyFile.parse({}),
    path: "/usr/local/bin:/usr/bin:/bin",
  });
}
