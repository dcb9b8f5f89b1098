import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Sqlite from "better-sqlite3";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { MIGRATIONS, type Migration, migrate } from "./migrate.js";
import { openDatabase } from "./open.js";
import { openReader } from "./open-reader.js";

const next = (MIGRATIONS.at(-1)?.version ?? 0) + 1;
const GROWS: Migration = {
  version: next,
  breaking: false,
  sql: "ALTER TABLE runs ADD COLUMN colour TEXT",
};
const BREAKS: Migration = {
  version: next,
  breaking: true,
  sql: "ALTER TABLE runs RENAME TO goals",
};
const FAILS: Migration = {
  version: next,
  breaking: false,
  sql: "CREATE TABLE a (x); CREATE TABLE a (x)",
};

let dir: string;
let path: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "aaos-migrate-"));
  path = join(dir, "aaos.db");
});
afterEach(() => {
  rmSync(dir, { recursive: true });
});

function migrateTo(migrations: readonly Migration[]): void {
  const db = openDatabase(path, { readonly: false });
  try {
    migrate(db, path, migrations);
  } finally {
    db.close();
  }
}

function columns(file: string, table: string): readonly string[] {
  const db = new Sqlite(file, { readonly: true });
  const rows = db.prepare("SELECT name FROM pragma_table_info(?)").all(table) as { name: string }[];
  db.close();
  return rows.map((row) => row.name);
}

const thrownBy = (action: () => unknown): unknown => {
  try {
    return action();
  } catch (thrown) {
    return thrown;
  }
};

describe("migrate", () => {
  it("numbers its migrations from 1 without a gap", () => {
    expect(MIGRATIONS.map((m) => m.version)).toEqual(MIGRATIONS.map((_, i) => i + 1));
  });

  it("makes a new database, readable by its owner alone, without a backup", () => {
    migrateTo(MIGRATIONS);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(columns(path, "events")).toContain("prev_hash");
    expect(readdirSync(dir).filter((name) => name.includes("before"))).toEqual([]);
  });

  it("does nothing the second time", () => {
    migrateTo(MIGRATIONS);
    migrateTo([...MIGRATIONS, GROWS]);
    migrateTo([...MIGRATIONS, GROWS]);
    expect(columns(path, "runs").filter((name) => name === "colour")).toHaveLength(1);
  });

  it("keeps a backup of the database as it was before", () => {
    migrateTo(MIGRATIONS);
    migrateTo([...MIGRATIONS, GROWS]);
    const backup = `${path}.before-${next}`;
    expect(statSync(backup).mode & 0o777).toBe(0o600);
    expect(columns(backup, "runs")).not.toContain("colour");
    expect(columns(backup, "runs")).toContain("goal");
    expect(existsSync(`${backup}.partial`)).toBe(false);
  });

  it("that fails leaves the database as it was, and works again with the cause removed", () => {
    migrateTo(MIGRATIONS);
    expect(() => migrateTo([...MIGRATIONS, FAILS])).toThrow(/table a already exists/);
    expect(columns(path, "a")).toEqual([]);
    migrateTo([...MIGRATIONS, GROWS]);
    expect(columns(path, "runs")).toContain("colour");
  });
});

describe("an old program", () => {
  it("refuses a newer schema that breaks it, and leaves it untouched", () => {
    migrateTo([...MIGRATIONS, BREAKS]);
    const refused = { code: "schema_too_new", exitCode: 1 };
    expect(thrownBy(() => migrateTo(MIGRATIONS))).toMatchObject(refused);
    expect(thrownBy(() => openReader(path))).toMatchObject(refused);
    expect(columns(path, "goals")).toContain("goal");
  });

  it("is told of the copy that it can read, and how much it would lose", () => {
    migrateTo(MIGRATIONS);
    migrateTo([...MIGRATIONS, BREAKS]);
    const copy = `${path}.before-${next}`;
    expect(thrownBy(() => migrateTo(MIGRATIONS))).toMatchObject({
      code: "schema_too_new",
      hint: expect.stringContaining(`use ${copy}: the 0 events since then would be lost`) as string,
    });
    rmSync(copy);
    expect(thrownBy(() => migrateTo(MIGRATIONS))).toMatchObject({
      hint: expect.stringContaining("no copy that this one can read") as string,
    });
  });

  it("opens a newer schema that only grew", () => {
    migrateTo([...MIGRATIONS, GROWS]);
    migrateTo(MIGRATIONS);
    const reader = openReader(path);
    expect(reader.runs({ all: true })).toEqual([]);
    reader.close();
    expect(columns(path, "runs")).toContain("colour");
  });

  it("refuses a schema that only grew after one that broke it", () => {
    migrateTo([...MIGRATIONS, BREAKS, { ...GROWS, version: next + 1, sql: "CREATE TABLE b (x)" }]);
    expect(thrownBy(() => migrateTo(MIGRATIONS))).toMatchObject({ code: "schema_too_new" });
  });
});

describe("a file that is no database of ours", () => {
  it("is refused with what it is: text, another program's, cut short, a directory, none", () => {
    writeFileSync(path, "name: not a database\n".repeat(100));
    expect(thrownBy(() => migrateTo(MIGRATIONS))).toMatchObject({ code: "store_corrupt" });

    rmSync(path);
    new Sqlite(path).exec("CREATE TABLE bookmarks (url)").close();
    expect(thrownBy(() => migrateTo(MIGRATIONS))).toMatchObject({ code: "store_corrupt" });

    rmSync(path);
    mkdirSync(path);
    expect(thrownBy(() => migrateTo(MIGRATIONS))).toMatchObject({ code: "permission_denied" });

    rmSync(path, { recursive: true });
    expect(thrownBy(() => openReader(path))).toMatchObject({ code: "unavailable" });
    expect(existsSync(path)).toBe(false);
  });

  it("is refused by a reader while it is empty: only the daemon makes tables", () => {
    writeFileSync(path, "");
    expect(thrownBy(() => openReader(path))).toMatchObject({ code: "unavailable" });
    migrateTo(MIGRATIONS);
    openReader(path).close();
  });
});
