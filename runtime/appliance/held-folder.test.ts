import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { holdFolder, placeFile } from "./held-folder.js";

let dir: string;
let base: string;
let outside: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "aaos-held-"));
  [base, outside] = [join(dir, "base"), join(dir, "outside")];
  for (const folder of [base, outside]) mkdirSync(folder);
  writeFileSync(join(dir, "from"), "new");
  writeFileSync(join(outside, "file"), "theirs");
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const put = (name: string) =>
  placeFile(join(dir, "from"), base, name, {
    uid: process.getuid?.() ?? 0,
    gid: process.getgid?.() ?? 0,
    mode: 0o640,
  });
const untouched = () => {
  expect(readdirSync(outside)).toEqual(["file"]);
  expect(readFileSync(join(outside, "file"), "utf8")).toBe("theirs");
};

test("a file gets its place, its mode, and the folders on the way; it takes the place of what was there", () => {
  put("a/b/c");
  put("a/b/c");
  expect(readFileSync(join(base, "a/b/c"), "utf8")).toBe("new");
  expect(statSync(join(base, "a/b/c")).mode & 0o777).toBe(0o640);
  expect(readdirSync(join(base, "a/b"))).toEqual(["c"]);
  mkdirSync(join(base, "d/e"), { recursive: true });
  put("d");
  expect(readFileSync(join(base, "d"), "utf8")).toBe("new");
});

test("no planted link leads anywhere: not as a folder on the way, not as the file, not as its name while it is made", () => {
  symlinkSync(outside, join(base, "a"));
  put("a/file");
  untouched();
  expect(lstatSync(join(base, "a")).isDirectory()).toBe(true);
  symlinkSync(join(outside, "file"), join(base, "f"));
  symlinkSync(join(outside, "file"), join(base, ".placing"));
  put("f");
  untouched();
  expect(lstatSync(join(base, "f")).isFile()).toBe(true);
});

test("a link is no folder that can be held", () => {
  symlinkSync(outside, join(base, "a"));
  expect(() => holdFolder(join(base, "a"))).toThrow(/ENOTDIR|ELOOP/);
});
