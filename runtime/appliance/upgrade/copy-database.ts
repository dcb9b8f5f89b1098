import { lstatSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { openDatabase } from "../../store/open.js";
import { placeFile } from "../held-folder.js";

const FOLDER = "/var/lib/aaos";
const PREFIX = "aaos.db.upgrade-from-";
/** As many as there are slots, and one more. */
const KEPT = 3;

/**
 * A consistent copy of the database while the daemon writes to it (VACUUM INTO), named for the version that it is good for. The oldest
 * copies go. Undefined where there is no database yet.
 */
export function copyDatabase(version: string, folder = FOLDER): string | undefined {
  const database = join(folder, "aaos.db");
  const there = lstatSync(database, { throwIfNoEntry: false });
  if (there?.isFile() !== true) return undefined;
  const name = `${PREFIX}${version}`;
  // Root's, beside the folder of the daemon's user, who could put a link in the place of what root writes there.
  const scratch = join(dirname(folder), ".aaos-upgrade");
  rmSync(scratch, { recursive: true, force: true });
  mkdirSync(scratch, { mode: 0o700 });
  try {
    const whole = join(scratch, "aaos.db");
    vacuum(database, whole);
    placeFile(whole, folder, name, { uid: there.uid, gid: there.gid, mode: 0o600 });
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  for (const old of copiesOfDatabase(folder).slice(KEPT)) rmSync(old.file, { force: true });
  return join(folder, name);
}

function vacuum(from: string, to: string): void {
  const db = openDatabase(from, { readonly: true });
  try {
    db.prepare("VACUUM INTO ?").run(to);
  } finally {
    db.close();
  }
}

/** The copies there are, newest first. */
function copiesOfDatabase(folder: string): readonly {
  readonly file: string;
  readonly version: string;
  readonly time: Date;
}[] {
  return readdirSync(folder)
    .filter((name) => name.startsWith(PREFIX))
    .map((name) => {
      const file = join(folder, name);
      return { file, version: name.slice(PREFIX.length), time: lstatSync(file).mtime };
    })
    .sort((a, b) => b.time.getTime() - a.time.getTime());
}
