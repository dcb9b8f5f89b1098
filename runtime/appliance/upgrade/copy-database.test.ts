import {
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
import { openDatabase } from "../../store/open.js";
import { copyDatabase } from "./copy-database.js";

let dir: string;
let folder: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "aaos-copy-"));
  folder = join(dir, "aaos");
  mkdirSync(folder);
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const fill = () => {
  const db = openDatabase(join(folder, "aaos.db"), { readonly: false });
  db.exec("CREATE TABLE IF NOT EXISTS t (x); INSERT INTO t VALUES (1)");
  db.close();
};

test("the copy is whole and nobody else's; where there is no database yet there is none", () => {
  expect(copyDatabase("1.0.0", folder)).toBeUndefined();
  fill();
  const copy = copyDatabase("1.0.0", folder) ?? "";
  expect(statSync(copy).mode & 0o777).toBe(0o600);
  const db = openDatabase(copy, { readonly: true });
  expect(db.prepare("SELECT count(*) AS n FROM t").get()).toEqual({ n: 1 });
  db.close();
  expect(readdirSync(dir)).toEqual(["aaos"]);
});

test("links that the daemon's user planted in its folder lead nowhere, nor does one in the place of the database", () => {
  fill();
  writeFileSync(join(dir, "theirs"), "theirs", { mode: 0o644 });
  for (const name of ["aaos.db.upgrade-from-1.0.0", "aaos.db.upgrade-from-1.0.0.partial"])
    symlinkSync(join(dir, "theirs"), join(folder, name));
  copyDatabase("1.0.0", folder);
  expect(readFileSync(join(dir, "theirs"), "utf8")).toBe("theirs");
  expect(statSync(join(dir, "theirs")).mode & 0o777).toBe(0o644);
  rmSync(join(folder, "aaos.db"));
  symlinkSync(join(dir, "theirs"), join(folder, "aaos.db"));
  expect(copyDatabase("2.0.0", folder)).toBeUndefined();
});

test("a copy that fails leaves nothing behind", () => {
  writeFileSync(join(folder, "aaos.db"), "no database ".repeat(1000));
  expect(() => copyDatabase("1.0.0", folder)).toThrow();
  expect(readdirSync(dir)).toEqual(["aaos"]);
  expect(readdirSync(folder)).toEqual(["aaos.db"]);
});
