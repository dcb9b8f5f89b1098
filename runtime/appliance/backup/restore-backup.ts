import {
  chmodSync,
  chownSync,
  closeSync,
  copyFileSync,
  createReadStream,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { AgentdError } from "../../protocol/agentd-error.js";
import { type Places, places } from "../../protocol/places.js";
import type { BackupAbout } from "../../protocol/system-verbs.js";
import { requireReadable } from "../../store/migrate.js";
import { openDatabase } from "../../store/open.js";
import { syncDirectory } from "../../store/sync-directory.js";
import { mustRun } from "../machine.js";
import { tellDaemon } from "../tell-daemon.js";
import type { VerbContext } from "../verb.js";
import { setCredential } from "../verbs/set-credential.js";
import { unseal } from "./seal.js";
import { type Staged, type StagedFile, stage } from "./stage-backup.js";

export interface Restored {
  readonly about: BackupAbout;
  readonly files: number;
  readonly credentials: string[];
  /** Where the database is that was there before; null where there was none. */
  readonly replaced: string | null;
}

interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/**
 * Makes this machine what the backup holds. All of it is read, checked and laid down before anything changes; then agentd is stopped,
 * files and secrets (sealed anew for this machine) get into their places, and last, in one move, the database. What config and database
 * were is kept in `/var/lib/aaos/before-restore` until the next time. Cut short, it is simply done again.
 */
export async function restoreBackup(
  { file, passphrase }: { readonly file: string; readonly passphrase: string },
  context: VerbContext,
): Promise<Restored> {
  const { machine, signal, progress } = context;
  const at = places({ root: machine.at("/") });
  mkdirSync(at.stateDir, { recursive: true, mode: 0o700 });
  const scratch = mkdtempSync(join(at.stateDir, ".restore-"));
  try {
    progress("reading the backup");
    const staged = await stage(unseal(passphrase, createReadStream(file, { signal })), scratch);
    checkDatabase(staged.database);
    const managed = machine.has("systemctl");
    if (managed) await mustRun(machine, "systemctl", ["stop", "agentd.service"], { signal });
    let restored: Restored;
    try {
      progress("putting everything into its place");
      restored = await putInPlace(staged, at, context);
    } finally {
      if (managed) await mustRun(machine, "systemctl", ["start", "agentd.service"]);
    }
    const { hostname, version, time } = restored.about;
    const story = { kind: "backup_restored", hostname, version, made_at: time } as const;
    if (managed) await tellDaemon(machine, story, signal);
    return restored;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** That it is whole, and that this program can read it. */
function checkDatabase(file: string | undefined): void {
  if (file === undefined) return;
  const db = openDatabase(file, { readonly: false });
  try {
    const found = String(db.pragma("integrity_check", { simple: true }));
    if (found !== "ok")
      throw new AgentdError("invalid_file", "restore", `its database is damaged: ${found}`, {
        hint: "Take another backup; nothing was changed.",
      });
    requireReadable(db, file);
    db.pragma("wal_checkpoint(TRUNCATE)");
  } finally {
    db.close();
  }
}

async function putInPlace(staged: Staged, at: Places, context: VerbContext): Promise<Restored> {
  const { machine } = context;
  const before = join(at.stateDir, "before-restore");
  const { uid, gid } = statSync(at.stateDir);
  rmSync(before, { recursive: true, force: true });
  mkdirSync(before, { mode: 0o700 });
  for (const it of staged.files) {
    const target = targetOf(it, at, machine.at("/etc/default/aaos"));
    if (it.place !== "state")
      keep(target, join(before, it.place, it.name === "" ? "aaos" : it.name));
    place(it, target, it.place === "state" ? { uid, gid } : { uid: 0, gid: 0 });
  }
  for (const [name, secret] of staged.credentials) await setCredential({ name, secret }, context);
  const { about, files, credentials, database } = staged;
  const replaced =
    database === undefined ? null : swap(database, at.databaseFile, before, { uid, gid });
  return { about, files: files.length, credentials: [...credentials.keys()], replaced };
}

function targetOf({ place, name }: StagedFile, at: Places, environment: string): string {
  if (place === "environment") return environment;
  return join(place === "config" ? at.configDir : at.stateDir, name);
}

function keep(target: string, to: string): void {
  if (!existsSync(target)) return;
  mkdirSync(dirname(to), { recursive: true, mode: 0o700 });
  copyFileSync(target, to);
}

/** Whole or not at all; folders that are missing on the way belong to the file's owner. */
function place(
  { file, mode }: { readonly file: string; readonly mode: number },
  target: string,
  owner: Owner,
): void {
  const dir = dirname(target);
  const made = mkdirSync(dir, { recursive: true, mode: 0o750 });
  for (
    let folder = dir;
    made !== undefined && folder.length >= made.length;
    folder = dirname(folder)
  )
    own(folder, owner);
  const part = join(dir, ".restoring");
  rmSync(part, { force: true });
  copyFileSync(file, part);
  own(part, owner);
  chmodSync(part, mode);
  const fd = openSync(part, "r");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(part, target);
  syncDirectory(dir);
}

/** Only root can give files away; a test that is not keeps them. */
function own(path: string, { uid, gid }: Owner): void {
  if (process.getuid?.() === 0) chownSync(path, uid, gid);
}

/** The old database is made one file, then both moves are made: at every moment there is a whole one, the old or the new. */
function swap(file: string, target: string, before: string, owner: Owner): string | null {
  const kept = join(before, "aaos.db");
  const existed = existsSync(target);
  if (existed) {
    settle(target);
    linkSync(target, kept);
  }
  place({ file, mode: 0o600 }, target, owner);
  return existed ? kept : null;
}

/** What its log holds goes into the file; one that cannot be opened any more is taken as it is. */
function settle(path: string): void {
  try {
    const db = openDatabase(path, { readonly: false });
    db.pragma("wal_checkpoint(TRUNCATE)");
    db.pragma("journal_mode = DELETE");
    db.close();
  } catch {
    // It is kept, and another takes its place.
  }
  for (const rest of ["-wal", "-shm"]) rmSync(`${path}${rest}`, { force: true });
}
