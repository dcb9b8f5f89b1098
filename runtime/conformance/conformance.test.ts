import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ALL_ATTEMPTS, ATTEMPT_GROUPS } from "./all-attempts.js";
import { isAllowed, isCounted, judge } from "./judge.js";
import { Measured } from "./result.js";

const MAIN = fileURLToPath(new URL("main.js", import.meta.url));
let measured: Measured;
let dir: string;

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "aaos-conformance-test-"));
  const json = join(dir, "answers.json");
  spawnSync(process.execPath, [MAIN, "--confined", "--json", json], { stdio: "ignore" });
  measured = Measured.parse(JSON.parse(readFileSync(json, "utf8")));
}, 240_000);
afterAll(() => rmSync(dir, { recursive: true, force: true }));

describe("the attempts, as data", () => {
  it("have each an id of their own", () => {
    const ids = ALL_ATTEMPTS.map(({ id }) => id);
    expect(ids.filter((id, at) => ids.indexOf(id) !== at)).toEqual([]);
  });

  it("have a twin that must work in every group, and a reason where they are allowed", () => {
    for (const { group } of ATTEMPT_GROUPS) {
      const all = ATTEMPT_GROUPS.filter((one) => one.group === group).flatMap(
        ({ attempts }) => attempts,
      );
      expect(all.some(({ control }) => control === true) || group === "process", group).toBe(true);
    }
    const unexplained = ALL_ATTEMPTS.filter(
      (one) => isCounted(one) && isAllowed(one.expect) && one.accepted === undefined,
    );
    expect(unexplained.map(({ id }) => id)).toEqual([]);
  });
});

describe("confined by the plan of its tokens", () => {
  it.each(ALL_ATTEMPTS.map(({ id, title, expect: stated }) => [id, title, stated] as const))(
    "%s %s: %s",
    (id, _, stated) => {
      expect(measured.rows.find((row) => row.id === id)?.confined).toBe(stated);
    },
  );

  it("nothing is allowed that is not accepted, and each answer without confinement is the one stated", () => {
    expect(judge(measured).problems).toEqual([]);
  });
});
