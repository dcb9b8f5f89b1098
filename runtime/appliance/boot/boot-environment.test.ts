import { mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { changeBoot, INITIAL_BOOT_STATE } from "../../protocol/slots.js";
import {
  changeEnvironment,
  readBootEnvironment,
  writeBootEnvironment,
} from "./boot-environment.js";

let dir: string;
const upgraded = changeBoot(changeBoot(INITIAL_BOOT_STATE, { type: "healthy", slot: "A" }), {
  type: "wanted",
  slot: "B",
});

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "aaos-grubenv-"));
  writeBootEnvironment(dir, upgraded);
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

test("the environment is written in place: the file's own blocks stay, as GRUB needs them", () => {
  const before = statSync(join(dir, "grubenv")).ino;
  changeEnvironment(dir, "A", [{ type: "healthy", slot: "B" }]);
  expect(statSync(join(dir, "grubenv"))).toMatchObject({ ino: before, size: 1024 });
  expect(readBootEnvironment(dir, "A").state.slots.B.confirmed).toBe(true);
});

test("where a power cut emptied the environment, its copy is taken, and both are whole again", () => {
  truncateSync(join(dir, "grubenv"), 0);
  expect(readBootEnvironment(dir, "A")).toEqual({ state: upgraded, source: "backup" });
  expect(changeEnvironment(dir, "A", []).source).toBe("backup");
  expect(readBootEnvironment(dir, "A").source).toBe("environment");
});

test("where both are torn, the slot that runs is wanted and proven: it goes on running", () => {
  for (const name of ["grubenv", "grubenv.bak"]) writeFileSync(join(dir, name), "torn");
  const { state, source } = changeEnvironment(dir, "B", []);
  expect(source).toBe("lost");
  expect(state.order).toEqual(["B", "A"]);
  expect(state.slots.B).toEqual({ ok: true, tries: 0, confirmed: true });
  expect(readFileSync(join(dir, "grubenv"), "latin1")).toHaveLength(1024);
});
