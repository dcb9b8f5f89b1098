import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import Sqlite from "better-sqlite3";
import { expect, it } from "vitest";
import { makeWorld } from "./world.js";

it("a tail that was cut together with the heads on file is found by heads that were kept elsewhere", async () => {
  await using world = await makeWorld();
  await world.start();
  await world.stop();
  const state = join(world.root, "var/lib/aaos");
  const kept = world.put("kept", readFileSync(join(state, "audit-heads.ndjson"), "utf8"));
  const whole = await verified();
  expect(whole).toContain("the journal is whole");

  const db = new Sqlite(join(state, "aaos.db"));
  db.exec("DELETE FROM events WHERE seq > 1");
  db.close();
  rmSync(join(state, "audit-heads.ndjson"));
  // The daemon has written on from the cut: what was signed once is another event now.
  expect(await verified()).toContain("the machine signed another hash for this event");

  world.put("kept", "no head\n");
  await world.start();
  const wrong = await world.cli(["audit", "verify", "--heads", kept]);
  expect([wrong.code, wrong.stderr]).toEqual([
    2,
    expect.stringMatching(/kept:1 is no signed head/),
  ]);

  async function verified(): Promise<string> {
    await world.start();
    const { stdout } = await world.cli(["audit", "verify", "--heads", kept]);
    await world.stop();
    return stdout;
  }
}, 60_000);
