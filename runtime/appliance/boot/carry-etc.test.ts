import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openMachine } from "../machine.js";
import { copyEtc } from "./carry-etc.js";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "aaos-carry-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const put = (path: string, text: string) => {
  mkdirSync(join(dir, path, ".."), { recursive: true });
  writeFileSync(join(dir, path), text);
};
const copy = () => copyEtc(openMachine("/"), dir, { running: "A", target: "B" });

test("the new slot has what /etc is when it is copied again, and nothing else", async () => {
  put("A/etc/passwd", "aaos\n");
  put("B/etc/older", "of an older version\n");
  put("B/etc.work/x", "");
  await copy();
  put("A/etc/passwd", "aaos\nada\n");
  put("B/etc.part/x", "cut short");
  await copy();
  expect(readFileSync(join(dir, "B/etc/passwd"), "utf8")).toBe("aaos\nada\n");
  expect(readdirSync(join(dir, "B"))).toEqual(["etc"]);
  expect(readdirSync(join(dir, "B/etc"))).toEqual(["passwd"]);
});

test("a copy that fails leaves the one that is there", async () => {
  put("A/etc/passwd", "new\n");
  put("B/etc/passwd", "old\n");
  const bin = join(dir, "bin");
  put("bin/cp", "");
  writeFileSync(join(bin, "cp"), "#!/bin/sh\nexit 1\n");
  chmodSync(join(bin, "cp"), 0o755);
  const machine = openMachine("/", [bin, "/usr/bin", "/bin"]);
  await expect(copyEtc(machine, dir, { running: "A", target: "B" })).rejects.toThrow(/cp ended/);
  expect(readFileSync(join(dir, "B/etc/passwd"), "utf8")).toBe("old\n");
  expect(existsSync(join(dir, "A/etc/passwd"))).toBe(true);
});
