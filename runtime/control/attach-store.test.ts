import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { openJournal } from "../audit/journal.js";
import { ulid } from "../base/ulid.js";
import { RunId } from "../protocol/ids.js";
import { openReader } from "../store/open-reader.js";
import { rawClient } from "../test/raw-client.js";
import { scriptedDaemon } from "../test/scripted-daemon.js";

const ENTROPY = { now: () => Date.now(), randomBytes };

describe("a followed run in the real journal", () => {
  it("is given without gap or repetition to clients that come while it is written", async () => {
    const dir = mkdtempSync(join(tmpdir(), "aaos-attach-"));
    const path = join(dir, "aaos.db");
    const journal = await openJournal({ path, entropy: ENTROPY, redact: (text) => text });
    const reader = openReader(path);
    try {
      await using daemon = await scriptedDaemon({ deps: { reader, subscribe: journal.subscribe } });
      const run_id = RunId.parse(ulid(ENTROPY));
      const other = RunId.parse(ulid(ENTROPY));
      const of = { run_id, actor: "daemon" };
      const submitted = {
        kind: "run_submitted",
        goal: "g",
        orchestration: "auto",
        params: {},
        owner_uid: 0,
      } as const;
      await journal.append([
        { ...of, ...submitted },
        { ...of, ...submitted, run_id: other },
      ]);
      const clients = [];
      for (let i = 0; i < 600; i++) {
        const mine = { ...of, kind: "planner_reply", text: `note ${i}` } as const;
        const theirs = { ...mine, run_id: other };
        const written = journal.append([mine, theirs]);
        if (i % 60 === 0) {
          const client = await rawClient(daemon.socketPath);
          client.request("run.attach", { run_id });
          clients.push(client);
        }
        if (i % 5 === 0) await written;
      }
      await journal.append([
        { ...of, kind: "run_state_changed", move: "plan", from: "queued", to: "planning" },
        {
          ...of,
          kind: "run_state_changed",
          move: "fail",
          from: "planning",
          to: "failed",
          error: "invalid_plan",
        },
      ]);
      const expected = reader
        .events({ run_id, after_seq: 0, limit: 10_000, reverse: false })
        .map(({ seq }) => seq);
      expect(expected).toHaveLength(603);
      for (const client of clients) {
        using _client = client;
        const frames = await client.rest();
        expect(frames.at(-1)).toMatchObject({ kind: "end", exit_code: 1, state: "failed" });
        const seqs = frames.flatMap(({ event }) =>
          event === undefined ? [] : [(event as { seq: number }).seq],
        );
        expect(seqs).toEqual(expected);
      }
    } finally {
      reader.close();
      await journal.close();
      rmSync(dir, { recursive: true, force: true });
    }
  });
});
