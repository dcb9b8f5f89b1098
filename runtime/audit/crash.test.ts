import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openReader } from "../store/open-reader.js";
import { entropy, note } from "../test/journal-fixture.js";
import { openJournal } from "./journal.js";
import { verifyJournal } from "./verify.js";

const APPENDER = fileURLToPath(new URL("../test/append-forever.js", import.meta.url));
const redact = (text: string) => text;

let dir: string;
let path: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "aaos-crash-"));
  path = join(dir, "aaos.db");
});
afterEach(() => {
  rmSync(dir, { recursive: true });
});

interface Appender {
  readonly child: ChildProcess;
  /** `SEQ ID` of each event that was acknowledged, as far as it is known here. */
  readonly acknowledged: () => readonly string[];
}

function startAppender(): Appender {
  const child = spawn(process.execPath, [APPENDER, path], { stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  return {
    child,
    acknowledged: () =>
      output
        .slice(0, output.lastIndexOf("\n") + 1)
        .split("\n")
        .filter(Boolean),
  };
}

async function killAfter(appender: Appender, count: number, thenMs: number): Promise<void> {
  while (appender.acknowledged().length < count) await new Promise((r) => setTimeout(r, 5));
  await new Promise((r) => setTimeout(r, thenMs));
  appender.child.kill("SIGKILL");
  await once(appender.child, "close");
}

describe("kill -9 in the middle of appends", () => {
  it("A24-31 every acknowledged event is there, the chain verifies, and the journal goes on", async () => {
    let total = 0;
    for (const thenMs of [0, 13, 37]) {
      const appender = startAppender();
      await killAfter(appender, 50, thenMs);
      const acknowledged = appender.acknowledged();
      const reader = openReader(path);
      const stored = reader.events({ after_seq: total, limit: 10_000, reverse: false });
      reader.close();
      expect(stored.map((e) => `${e.seq} ${e.id}`)).toEqual(
        expect.arrayContaining([...acknowledged]),
      );
      total += stored.length;
      expect(verifyJournal(path)).toMatchObject({ ok: true, problems: [], events: total });
      expect(total % 2, "appends of two events are whole").toBe(0);
    }
    const journal = await openJournal({ path, entropy, redact });
    expect((await journal.append([note("after")]))[0]?.seq).toBe(total + 1);
    await journal.close();
    expect(verifyJournal(path)).toMatchObject({ ok: true, events: total + 1 });
  }, 60_000);

  it("the writer's lock dies with its process", async () => {
    const appender = startAppender();
    while (appender.acknowledged().length === 0) await new Promise((r) => setTimeout(r, 5));
    const open = () => openJournal({ path, entropy, redact });
    await expect(open()).rejects.toMatchObject({ code: "already_running" });
    appender.child.kill("SIGKILL");
    await once(appender.child, "close");
    await (await open()).close();
  }, 60_000);
});
