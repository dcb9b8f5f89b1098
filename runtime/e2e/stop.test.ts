import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { processesWith } from "../test/confined-agent.js";
import { type StopWorld, stopWorld } from "./stop-run.js";
import { waitFor } from "./wait.js";

let world: StopWorld;

beforeEach(async () => {
  world = await stopWorld();
});

afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

describe("a run that is stopped", () => {
  it("A24-32 leaves no process when the answer comes, in the middle of a tool, a model call and a launch", async () => {
    for (let n = 0; n < 9; n++) {
      const moment = (["tool", "model", "spawn"] as const)[n % 3] ?? "tool";
      const report = await world.stop(moment, n);
      expect(report.state).toBe("cancelled");
      expect(await processesWith(`600.${String(n).padStart(4, "0")}`)).toEqual([]);
    }
  }, 240_000);

  it("A22-25 holds up no other: of nine that are stopped at once each ends, and one that is not takes its turns and ends well", async () => {
    const talk = await world.beginTalk();
    const stops = Array.from({ length: 9 }, (_, n) =>
      world.stop((["tool", "model", "spawn"] as const)[n % 3] ?? "tool", n),
    );
    const first = await Promise.race(stops);
    const before = await talk.turns();
    const reports = await Promise.all(stops);
    expect([first, ...reports].map(({ state }) => state)).toEqual(Array(10).fill("cancelled"));
    await waitFor("more turns", async () => ((await talk.turns()) > before ? true : undefined));
    expect(await talk.end()).toBe("succeeded");
  }, 240_000);
});
