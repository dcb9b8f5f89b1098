import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { processesWith } from "../test/confined-agent.js";
import { type StopWorld, stopWorld } from "./stop-run.js";

let world: StopWorld;

beforeEach(async () => {
  world = await stopWorld();
});

afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

describe("a run that is stopped", () => {
  it("A22-25 A24-32 leaves no process when the answer comes, in the middle of a tool, a model call and a launch", async () => {
    for (let n = 0; n < 9; n++) {
      const moment = (["tool", "model", "spawn"] as const)[n % 3] ?? "tool";
      const report = await world.stop(moment, n);
      expect(report.state).toBe("cancelled");
      expect(await processesWith(`600.${String(n).padStart(4, "0")}`)).toEqual([]);
    }
  }, 240_000);
});
