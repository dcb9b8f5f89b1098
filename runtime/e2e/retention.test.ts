import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openJournal } from "../audit/journal.js";
import type { RunId } from "../protocol/ids.js";
import { entropy, newAgentId, newRunId, wholeRun } from "../test/journal-fixture.js";
import { waitFor } from "./wait.js";
import { lines, makeWorld, type World } from "./world.js";

const DAY_MS = 86_400_000;

let world: World;
const [old, recent] = [newRunId(), newRunId()];

beforeEach(async () => {
  world = await makeWorld();
  await ranDaysAgo(old, 40);
  await ranDaysAgo(recent, 2);
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

/** A daemon carried out a run then. */
async function ranDaysAgo(id: RunId, days: number): Promise<void> {
  const journal = await openJournal({
    path: join(world.root, "var/lib/aaos/aaos.db"),
    entropy: { ...entropy, now: () => Date.now() - days * DAY_MS },
    redact: (text) => text,
  });
  await journal.append(wholeRun(id, newAgentId()));
  await journal.close();
  mkdirSync(join(world.root, "var/lib/aaos/workspace", id), { recursive: true });
}

describe("a daemon that starts", () => {
  it("removes workspaces and prunes runs that are old enough; the trail verifies", async () => {
    const state = join(world.root, "var/lib/aaos");
    symlinkSync(world.out, join(state, "workspace", old, "out"));
    writeFileSync(join(world.out, "document.md"), "kept");
    world.put("etc/aaos/agentd.yaml", "journal: {retention_days: 30}\n");
    await world.start();
    const file = join(state, "exports", `${old}.ndjson.gz`);
    const erased = await waitFor("the erasure", async () => {
      const { stdout } = await world.cli(["audit", "export", "--kind", "content_erased"]);
      return lines(stdout)[0];
    });
    expect(erased).toMatchObject({ run_id: old, export: { file: `exports/${old}.ndjson.gz` } });
    expect(gunzipSync(readFileSync(file)).toString()).toContain("compare A and B");
    expect(existsSync(join(state, "workspace", old))).toBe(false);
    expect(existsSync(join(state, "workspace", recent))).toBe(true);
    expect(readFileSync(join(world.out, "document.md"), "utf8")).toBe("kept");
    const verified = await world.cli(["audit", "verify"]);
    expect(verified, verified.stderr).toMatchObject({ code: 0 });
    const { runs } = await world.json<{ runs: { run_id: string }[] }>(["list", "--all"]);
    expect(runs.map(({ run_id }) => run_id)).toEqual([recent]);
    expect(await world.cli(["status", old])).toMatchObject({ code: 2 });
  }, 120_000);

  it("keeps every run's content where nothing says otherwise", async () => {
    await world.start();
    await waitFor("the sweep", () =>
      existsSync(join(world.root, "var/lib/aaos/workspace", old)) ? undefined : true,
    );
    await world.stop();
    expect(existsSync(join(world.root, "var/lib/aaos/exports"))).toBe(false);
  }, 120_000);
});
