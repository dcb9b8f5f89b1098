import {
  chmodSync,
  chownSync,
  existsSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { join } from "node:path";
import { openDatabase } from "../../store/open.js";

const DATABASE = "/var/lib/aaos/aaos.db";
const FOLDER = "/var/lib/aaos";
const PREFIX = "aaos.db.upgrade-from-";
/** As many as there are slots, and one more. */
const KEPT = 3;

/**
 * A consistent copy of the database while the daemon writes to it (VACUUM INTO), named for the version that it is good for. The oldest
 * copies go. Undefined where there is no database yet.
 */
export function copyDatabase(version: string): string | undefined {
  if (!existsSync(DATABASE)) return undefined;
  const target = join(FOLDER, `${PREFIX}${version}`);
  const part = `${target}.partial`;
  rmSync(part, { force: true });
  const { uid, gid } = statSync(DATABASE);
  const db = openDatabase(DATABASE, { readonly: true });
  try {
    db.prepare("VACUUM INTO ?").run(part);
  } finally {
    db.close();
  }
  chmodSync(part, 0o600);
  chownSync(part, uid, gid);
  renameSync(part, target);
  for (const old of copiesOfDatabase().slice(KEPT)) rmSync(old.file, { force: true });
  return target;
}

/** The copies there are, newest first. */
function copiesOfDatabase(folder = FOLDER): readonly {
  readonly file: string;
  readonly version: string;
  readonly time: Date;
}[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => name.startsWith(PREFIX) && !name.endsWith(".partial"))
    .map((name) => {
      const file = join(folder, name);
      return { file, version: name.slice(PREFIX.length), time: statSync(file).mtime };
    })
    .sort((a, b) => b.time.getTime() - a.time.getTime());
}
