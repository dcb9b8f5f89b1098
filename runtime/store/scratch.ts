import Sqlite from "better-sqlite3";
import { migrate } from "./migrate.js";
import type { Database } from "./open.js";

/**
 * An empty database with today's schema that lives until it is closed: in memory, and in an unnamed temporary file where it grows
 * (sqlite.org/inmemorydb.html).
 */
export function scratchDatabase(): Database {
  const db = new Sqlite("");
  migrate(db, "scratch database");
  return db;
}
