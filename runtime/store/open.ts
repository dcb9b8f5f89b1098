import { chmodSync, closeSync, existsSync, mkdirSync, openSync, statSync } from "node:fs";
import { dirname } from "node:path";
import Sqlite from "better-sqlite3";
import { AgentdError } from "../protocol/agentd-error.js";
import { storeError } from "./sqlite-error.js";
import { syncDirectory } from "./sync-directory.js";

export type Database = Sqlite.Database;

const BUSY_TIMEOUT_MS = 5_000;
/** The WAL is cut back to this after a checkpoint. */
const WAL_LIMIT_BYTES = 64 * 1_048_576;

/**
 * Opens the database file. The writer makes it where it is missing (0600, its directory 0700), in WAL mode, and a commit
 * returns only once it is on the disk. A reader never makes anything. Neither looks at the schema: see `migrate.ts`. The
 * caller closes it. Throws `store_corrupt`, `disk_full`, `permission_denied`.
 */
export function openDatabase(path: string, options: { readonly readonly: boolean }): Database {
  const op = "open database";
  try {
    if (options.readonly) requireFile(path);
    else ensureFile(path);
    const db = new Sqlite(path, {
      readonly: options.readonly,
      fileMustExist: true,
      timeout: BUSY_TIMEOUT_MS,
    });
    try {
      configure(db, path, options.readonly);
      return db;
    } catch (thrown) {
      db.close();
      throw thrown;
    }
  } catch (thrown) {
    throw storeError(op, path, thrown);
  }
}

function requireFile(path: string): void {
  if (existsSync(path)) return;
  throw new AgentdError("unavailable", "open database", `there is no database at ${path}`, {
    hint: "The daemon makes it when it starts: `systemctl start agentd`.",
  });
}

/** Never opens a file that exists: closing it would drop the locks that SQLite holds on it in this process (fcntl(2)). */
function ensureFile(path: string): void {
  const dir = dirname(path);
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  if (existsSync(path)) {
    const found = statSync(path);
    if (found.isFile() && (found.mode & 0o077) !== 0) chmodSync(path, 0o600);
    return;
  }
  closeSync(openSync(path, "wx", 0o600));
  syncDirectory(dir);
}

function configure(db: Database, path: string, readonly: boolean): void {
  db.pragma("trusted_schema = OFF");
  db.pragma("foreign_keys = ON");
  if (readonly) {
    db.pragma("schema_version");
    return;
  }
  const mode = db.pragma("journal_mode = WAL", { simple: true });
  if (mode !== "wal")
    throw new AgentdError("unavailable", "open database", `${path} cannot use a write-ahead log`, {
      hint: "Put the database on a local file system.",
    });
  db.pragma("synchronous = FULL");
  db.pragma(`journal_size_limit = ${WAL_LIMIT_BYTES}`);
  // What is erased is overwritten, not only unlinked.
  db.pragma("secure_delete = ON");
}
