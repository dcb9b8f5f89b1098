import { readdirSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import Sqlite from "better-sqlite3";

/** A copy of the database, made before an upgrade or a migration, that an older program can use. */
export interface ReadableCopy {
  readonly file: string;
  /** When its last event was recorded; null for one without any. */
  readonly until: string | null;
  /** Events that the newer database has and the copy has not. */
  readonly lost: number;
}

interface Extent {
  readonly events: number;
  readonly until: string | null;
  readonly readableFrom: number;
}

/** The copy beside `path` that holds most, of those that a program of schema `latest` can use; undefined where there is none. */
export function readableCopy(path: string, latest: number): ReadableCopy | undefined {
  const newer = extentOf(path)?.events ?? 0;
  return readdirSync(dirname(path))
    .filter(
      (name) => /\.(upgrade-from|before)-[^/]+$/.test(name) && name.startsWith(basename(path)),
    )
    .filter((name) => !name.endsWith(".partial"))
    .map((name) => ({
      file: join(dirname(path), name),
      extent: extentOf(join(dirname(path), name)),
    }))
    .filter(({ extent }) => extent !== undefined && extent.readableFrom <= latest)
    .map(({ file, extent }) => {
      const { events, until } = extent ?? { events: 0, until: null };
      return { file, until, lost: Math.max(0, newer - events) };
    })
    .sort((a, b) => a.lost - b.lost)[0];
}

/** What a file holds; undefined for one that is no database of ours. */
function extentOf(file: string): Extent | undefined {
  let db: Sqlite.Database | undefined;
  try {
    db = new Sqlite(file, { readonly: true, fileMustExist: true });
    const row = db
      .prepare<[], Extent>(
        `SELECT (SELECT coalesce(max(seq), 0) FROM events) AS events,
                (SELECT time FROM events ORDER BY seq DESC LIMIT 1) AS until,
                (SELECT readable_from FROM schema_versions ORDER BY version DESC LIMIT 1) AS readableFrom`,
      )
      .get();
    return row;
  } catch {
    return undefined;
  } finally {
    db?.close();
  }
}
