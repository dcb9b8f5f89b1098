import Sqlite from "better-sqlite3";
import { storeError } from "./sqlite-error.js";

/**
 * Makes this process the one writer of the database at `path`, until it releases or dies: an empty database beside it, held in
 * an exclusive transaction, whose lock the kernel drops with the process. Throws `already_running` where another holds it.
 */
export function lockForWriting(path: string): { readonly release: () => void } {
  const lockPath = `${path}.lock`;
  try {
    const lock = new Sqlite(lockPath, { timeout: 0 });
    try {
      lock.exec("BEGIN EXCLUSIVE");
    } catch (thrown) {
      lock.close();
      throw thrown;
    }
    return { release: () => lock.close() };
  } catch (thrown) {
    throw storeError("lock database", path, thrown);
  }
}
