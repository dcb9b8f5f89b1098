import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { crashRun } from "./crash-run.js";
import { type CrashWorld, crashWorld } from "./crash-world.js";

/** A sample; `node dist/bench/campaigns/crash.js` makes 200. */
const RUNS = 20;

let crash: CrashWorld;

beforeEach(async () => {
  crash = await crashWorld();
  await crash.world.start();
});

afterEach(async () => {
  await crash[Symbol.asyncDispose]();
});

describe("a daemon that is killed at a random moment of a run of nine steps", () => {
  it(`ends it as it would have ended, ${RUNS} times; no finished step is begun again, no effect happens twice`, async () => {
    const whole = await crashRun(crash, "whole", undefined);
    expect(whole.problems).toEqual([]);
    for (let n = 0; n < RUNS; n++) {
      const report = await crashRun(crash, `crash-${n}`, Math.random() * whole.took_ms);
      expect(report).toMatchObject({ problems: [] });
    }
  }, 900_000);
});
