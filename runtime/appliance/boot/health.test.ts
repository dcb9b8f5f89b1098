import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openMachine } from "../machine.js";
import { proveSlot } from "./health.js";
import { openSlotRecords } from "./slot-records.js";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "aaos-health-"));
  mkdirSync(join(dir, "bin"));
  program("systemctl", "printf 'NRestarts=0\\nActiveState=active\\n'");
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const program = (name: string, script: string) =>
  writeFileSync(join(dir, "bin", name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
const records = () => openSlotRecords(join(dir, "slots"));
const prove = (pending: boolean, healthDeadlineMs = 60_000, exhausted = false) =>
  proveSlot({
    machine: openMachine(dir, [join(dir, "bin"), "/usr/bin", "/bin"]),
    records: records(),
    started: { slot: "A", pending, exhausted, healthDeadlineMs },
    version: "1.2.3",
    say: () => {},
    now: () => new Date(0),
    signal: new AbortController().signal,
  });

test("a new slot whose selftest fails is left, with what it said; a proven one stays up", async () => {
  program("agentd", "echo 'a goal did not end' >&2; exit 1");
  expect(await prove(true)).toBe("left");
  expect(records().verdict("A")).toMatchObject({
    ok: false,
    reason: "agentd selftest: a goal did not end",
  });
  expect(await prove(false)).toBe("stays");
});

test("where no slot has a try left, even one that has never worked stays up: it would start again for ever", async () => {
  program("agentd", "echo 'a goal did not end' >&2; exit 1");
  expect(await prove(true, 60_000, true)).toBe("stays");
});

test("a selftest that hangs is no proof: the deadline ends it", async () => {
  program("agentd", "exec sleep 30");
  expect(await prove(true, 500)).toBe("left");
  expect(records().verdict("A")?.reason).toMatch(/not well within 0\.5 s: .*did not end/);
});

test("services that crash end the proof at once", async () => {
  program("agentd", "exit 3");
  program("systemctl", "printf 'NRestarts=5\\nActiveState=failed\\n'");
  expect(await prove(true, 60_000)).toBe("left");
  expect(records().verdict("A")?.reason).toMatch(/^agentd\.service has failed/);
});

const report = (verdict: string, detail: string) =>
  JSON.stringify({
    ...{ ok: verdict === "ok", elapsed_ms: 1 },
    checks: [{ name: "a goal ends", verdict, detail, remedy: null }],
  });

test("a failed report is the reason, and is kept for the console", async () => {
  program("agentd", `echo '${report("fail", "no document came")}'; exit 1`);
  expect(await prove(true)).toBe("left");
  expect(records().verdict("A")?.reason).toBe("agentd selftest: a goal ends: no document came");
  expect(readFileSync(join(dir, "run/aaos/selftest.json"), "utf8")).toContain("no document came");
});

test("while another selftest is under way, the proof waits for its turn: that is no failure", async () => {
  const busy =
    '{"error":{"kind":"unavailable","op":"selftest","message":"another selftest is under way","hint":""}}';
  program(
    "agentd",
    `[ -e ${dir}/free ] || { : >${dir}/free; echo '${busy}' >&2; exit 1; }\necho '${report("ok", "")}'`,
  );
  // It works, and there is no boot partition here to keep it on.
  await expect(prove(true, 60_000)).rejects.toThrow("this is no installed disk");
}, 30_000);

test("a selftest that fails once on a machine that has just started is asked again", async () => {
  program(
    "agentd",
    `[ -e ${dir}/warm ] || { : >${dir}/warm; echo '${report("fail", "a page took too long")}'; exit 1; }\necho '${report("ok", "")}'`,
  );
  await expect(prove(true)).rejects.toThrow("this is no installed disk");
});
