import { rmSync } from "node:fs";
import Sqlite from "better-sqlite3";
import { load } from "sqlite-vec";
import { errorText } from "../base/error-text.js";
import type { Database } from "./open.js";
import { storeError } from "./sqlite-error.js";

/** Another number than the file's: it is thrown away and made anew. */
const SCHEMA = 1;

const TABLES = `
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE entries (
  entry_id INTEGER PRIMARY KEY,
  memory_id TEXT NOT NULL UNIQUE,
  owner TEXT NOT NULL,
  category TEXT NOT NULL
) STRICT;
CREATE TABLE vectors (entry_id INTEGER PRIMARY KEY REFERENCES entries ON DELETE CASCADE, embedding BLOB NOT NULL) STRICT;
CREATE VIRTUAL TABLE texts USING fts5(scope, content, tokenize = 'porter unicode61 remove_diacritics 2');
INSERT INTO texts (texts, rank) VALUES ('secure-delete', 1);
PRAGMA user_version = ${SCHEMA};
`;

export interface MemoryIndexFile {
  readonly db: Database;
  /** Why vectors cannot be searched here; null where they can. */
  readonly noVectors: string | null;
}

/**
 * The search index of memories: a database beside the one database, made of it, and made anew where it is missing, damaged or of
 * another schema. Its loss costs time, never a memory; so a commit does not wait for the disk. The caller closes it.
 */
export function openMemoryIndex(path: string): MemoryIndexFile {
  try {
    return open(path);
  } catch {
    for (const end of ["", "-wal", "-shm"]) rmSync(`${path}${end}`, { force: true });
    try {
      return open(path);
    } catch (thrown) {
      throw storeError("open memory index", path, thrown);
    }
  }
}

function open(path: string): MemoryIndexFile {
  const db = new Sqlite(path, { timeout: 5_000 });
  try {
    db.pragma("journal_mode = WAL");
    db.pragma("synchronous = OFF");
    db.pragma("secure_delete = ON");
    db.pragma("foreign_keys = ON");
    const noVectors = loadVectors(db);
    const version = db.pragma("user_version", { simple: true });
    if (version === 0) db.exec(TABLES);
    else if (version !== SCHEMA) throw new Error(`schema ${String(version)}`);
    return { db, noVectors };
  } catch (thrown) {
    db.close();
    throw thrown;
  }
}

function loadVectors(db: Database): string | null {
  try {
    load(db);
    return null;
  } catch (thrown) {
    return `the SQLite extension sqlite-vec cannot be loaded: ${errorText(thrown)}`;
  }
}
