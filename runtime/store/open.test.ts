import { chmodSync, mkdtempSync, rmSync, statSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { MIGRATIONS, migrate } from "./migrate.js";
import { openDatabase } from "./open.js";
import { openReader } from "./open-reader.js";

let dir: string;
let path: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "aaos-open-"));
  path = join(dir, "aaos.db");
});
afterEach(() => {
  rmSync(dir, { recursive: true });
});

describe("openDatabase", () => {
  it("syncs each commit of the writer to the disk, and overwrites what is erased", () => {
    const db = openDatabase(path, { readonly: false });
    expect(db.pragma("journal_mode", { simple: true })).toBe("wal");
    expect(db.pragma("synchronous", { simple: true }), "2 is FULL").toBe(2);
    expect(db.pragma("foreign_keys", { simple: true })).toBe(1);
    expect(db.pragma("secure_delete", { simple: true })).toBe(1);
    db.close();
  });

  it("gives a reader nothing to write with", () => {
    const writer = openDatabase(path, { readonly: false });
    migrate(writer, path);
    const db = openDatabase(path, { readonly: true });
    expect(() => db.exec("DELETE FROM events")).toThrow(/readonly/);
    db.close();
    writer.close();
  });

  it("takes the database from the eyes of others where it finds it open to them", () => {
    openDatabase(path, { readonly: false }).close();
    chmodSync(path, 0o644);
    openDatabase(path, { readonly: false }).close();
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it("makes the directories above it for their owner alone", () => {
    const deep = join(dir, "var", "lib", "aaos.db");
    openDatabase(deep, { readonly: false }).close();
    expect(statSync(join(dir, "var", "lib")).mode & 0o077).toBe(0);
  });

  it("says that a database which was cut short is damaged", () => {
    const db = openDatabase(path, { readonly: false });
    migrate(db, path, MIGRATIONS);
    db.close();
    truncateSync(path, 5_000);
    let thrown: unknown;
    try {
      openReader(path).close();
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toMatchObject({ code: "store_corrupt" });
  });
});
