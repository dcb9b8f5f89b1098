import { closeSync, fsyncSync, openSync, renameSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { AgentdError } from "../protocol/agentd-error.js";
import { INITIAL } from "./migrations/0001-initial.js";
import { SCHEDULES } from "./migrations/0002-schedules.js";
import { MEMORIES } from "./migrations/0003-memories.js";
import { RECOVERIES } from "./migrations/0004-recoveries.js";
import { APPROVALS } from "./migrations/0005-approvals.js";
import { AGENTS } from "./migrations/0006-agents.js";
import type { Database } from "./open.js";
import { readableCopy } from "./readable-copy.js";
import { storeError } from "./sqlite-error.js";
import { syncDirectory } from "./sync-directory.js";

/** One numbered step of the schema. `breaking`: programs that do not know it can no longer use the database. */
export interface Migration {
  readonly version: number;
  readonly breaking: boolean;
  readonly sql: string;
}

/** All that this program knows, ascending, without a gap. The last one is the program's schema version. */
export const MIGRATIONS: readonly Migration[] = [
  INITIAL,
  SCHEDULES,
  MEMORIES,
  RECOVERIES,
  APPROVALS,
  AGENTS,
];

interface Schema {
  /** The last migration applied; 0 for an empty file. */
  readonly version: number;
  /** The lowest program schema version that can use it. */
  readonly readable_from: number;
}

/** "aaOS", in the header of the file: sqlite.org/pragma.html#pragma_application_id. */
const APPLICATION_ID = 0x61_61_4f_53;

/**
 * Brings the database up to `migrations`, each in a transaction of its own, after a backup beside it (`PATH.before-N`, where N
 * is the first version applied). Does nothing where nothing is to do. A database that is newer is left as it is if its schema only grew;
 * a newer breaking one throws `schema_too_new`.
 */
export function migrate(db: Database, path: string, migrations = MIGRATIONS): void {
  try {
    const found = checkReadable(db, path, migrations);
    const first = migrations.find((m) => m.version > found.version);
    if (first === undefined) return;
    if (found.version > 0) backUp(db, path, first.version);
    for (const migration of migrations) apply(db, migration);
  } catch (thrown) {
    throw storeError("migrate database", path, thrown);
  }
}

/** For a reader, which cannot migrate: throws unless the schema is one that this program can read as it stands. */
export function requireSchema(db: Database, path: string, migrations = MIGRATIONS): void {
  try {
    const found = checkReadable(db, path, migrations);
    if (found.version < latestOf(migrations))
      throw new AgentdError("unavailable", "open database", `${path} awaits its migration`, {
        hint: "Start the daemon once: `systemctl start agentd`.",
      });
  } catch (thrown) {
    throw storeError("read schema", path, thrown);
  }
}

/** Throws `schema_too_new` for a database that this program can neither read nor bring up to date. */
export function requireReadable(db: Database, path: string): void {
  checkReadable(db, path, MIGRATIONS);
}

function checkReadable(db: Database, path: string, migrations: readonly Migration[]): Schema {
  const found = readSchema(db, path);
  const latest = latestOf(migrations);
  if (found.readable_from > latest)
    throw new AgentdError(
      "schema_too_new",
      "open database",
      `${path} has schema ${found.version}, which needs a program of schema ${found.readable_from} or newer; this one knows ${latest}`,
      { hint: wayBack(path, latest) },
    );
  return found;
}

/** What an operator whose machine fell back can do, and what it costs. */
function wayBack(path: string, latest: number): string {
  const copy = readableCopy(path, latest);
  if (copy === undefined)
    return "Install that version of aaOS; no copy that this one can read lies beside it.";
  const until = copy.until === null ? "" : `, up to ${copy.until}`;
  return `Install that version, or use ${copy.file}${until}: the ${copy.lost} events since then would be lost (docs/operations/upgrades.md).`;
}

function readSchema(db: Database, path: string): Schema {
  const tables = db.prepare<[], { n: number }>("SELECT count(*) AS n FROM sqlite_schema").get();
  if ((tables?.n ?? 0) === 0) return { version: 0, readable_from: 0 };
  if (db.pragma("application_id", { simple: true }) !== APPLICATION_ID)
    throw new AgentdError(
      "store_corrupt",
      "open database",
      `${path} is a SQLite database, but none of aaOS`,
      { hint: "Move that file away, or name another --root." },
    );
  const row = db
    .prepare<[], Schema>(
      "SELECT version, readable_from FROM schema_versions ORDER BY version DESC LIMIT 1",
    )
    .get();
  return row ?? { version: 0, readable_from: 0 };
}

function latestOf(migrations: readonly Migration[]): number {
  return migrations.at(-1)?.version ?? 0;
}

/** Made whole under another name first: a backup that bears the right name is complete. */
function backUp(db: Database, path: string, version: number): void {
  const target = `${path}.before-${version}`;
  const partial = `${target}.partial`;
  rmSync(partial, { force: true });
  closeSync(openSync(partial, "wx", 0o600));
  try {
    db.prepare("VACUUM INTO ?").run(partial);
    const fd = openSync(partial, "r");
    try {
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(partial, target);
    syncDirectory(dirname(path));
  } catch (thrown) {
    rmSync(partial, { force: true });
    throw thrown;
  }
}

/** Looks again inside the transaction: another process may have migrated meanwhile. */
function apply(db: Database, migration: Migration): void {
  db.transaction(() => {
    db.pragma(`application_id = ${APPLICATION_ID}`);
    db.exec(
      "CREATE TABLE IF NOT EXISTS schema_versions (version INTEGER PRIMARY KEY, readable_from INTEGER NOT NULL) STRICT",
    );
    const last = db
      .prepare<[], Schema>(
        "SELECT version, readable_from FROM schema_versions ORDER BY version DESC LIMIT 1",
      )
      .get();
    if (last !== undefined && last.version >= migration.version) return;
    db.exec(migration.sql);
    const readableFrom = migration.breaking ? migration.version : (last?.readable_from ?? 0);
    db.prepare("INSERT INTO schema_versions VALUES (?, ?)").run(migration.version, readableFrom);
  }).immediate();
}
