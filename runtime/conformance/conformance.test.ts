import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ALL_ATTEMPTS, ATTEMPT_GROUPS } from "./all-attempts.js";
import { isAllowed, isCounted, judge } from "./judge.js";
import { Measured } from "./result.js";
import { TOOL_ATTEMPTS } from "./tool-attempts.js";

const MAIN = fileURLToPath(new URL("main.js", import.meta.url));
let probed: Measured;
let tooled: Measured;
let dir: string;

async function answers(name: string, ...args: readonly string[]): Promise<Measured> {
  const json = join(dir, `${name}.json`);
  const argv = [MAIN, "--confined", "--json", json, ...args];
  await once(spawn(process.execPath, argv, { stdio: "ignore" }), "exit");
  return Measured.parse(JSON.parse(readFileSync(json, "utf8")));
}

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "aaos-conformance-test-"));
  [probed, tooled] = await Promise.all([
    answers("probed", "--no-tools"),
    answers("tooled", "--only", "A"),
  ]);
}, 600_000);
afterAll(() => rmSync(dir, { recursive: true, force: true }));

describe("the attempts, as data", () => {
  it("have each an id of their own", () => {
    const ids = [...ALL_ATTEMPTS, ...TOOL_ATTEMPTS].map(({ id }) => id);
    expect(ids.filter((id, at) => ids.indexOf(id) !== at)).toEqual([]);
  });

  it("have a twin that must work for every kind of thing that is refused", () => {
    for (const group of ["filesystem", "kernel", "exec", "network"]) {
      const all = ATTEMPT_GROUPS.filter((one) => one.group === group);
      const twins = all.flatMap(({ attempts }) => attempts.filter(({ control }) => control));
      expect(twins.length, group).toBeGreaterThan(0);
    }
  });

  it("say why, where they are allowed", () => {
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
      expect(probed.rows.find((row) => row.id === id)?.confined).toBe(stated);
    },
  );
});

describe("through the tools of an agent", () => {
  it.each(TOOL_ATTEMPTS.map(({ id, title, expect: stated }) => [id, title, stated] as const))(
    "%s %s: %s",
    (id, _, stated) => {
      expect(tooled.tools.find((row) => row.id === id)?.confined).toBe(stated);
    },
  );
});

describe("as a whole", () => {
  it("nothing is missing, and each succeeds without confinement unless it says otherwise", () => {
    expect(judge(probed).problems).toEqual([]);
    expect(judge(tooled).problems).toEqual([]);
  });
});
