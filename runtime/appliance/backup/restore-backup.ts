import {
  createReadStream,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  rmSync,
  statSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { AgentdError } from "../../protocol/agentd-error.js";
import { type Places, places } from "../../protocol/places.js";
import type { BackupAbout } from "../../protocol/system-verbs.js";
import { requireReadable } from "../../store/migrate.js";
import { openDatabase } from "../../store/open.js";
import { syncDirectory } from "../../store/sync-directory.js";
import { type FileOwner, placeFile } from "../held-folder.js";
import { mustRun } from "../machine.js";
import { tellDaemon } from "../tell-daemon.js";
import type { VerbContext } from "../verb.js";
import { setCredential } from "../verbs/set-credential.js";
import { writeFileWhole } from "../write-file.js";
import { makeScratch } from "./scratch.js";
import { unseal } from "./seal.js";
import { type Staged, type StagedFile, stage } from "./stage-backup.js";

export interface Restored {
  readonly about: BackupAbout;
  readonly files: number;
  readonly credentials: string[];
  /** Where the database is that was there before; null where there was none. */
  readonly replaced: string | null;
}

/**
 * Makes this machine what the backup holds. All of it is read, checked and laid down before anything changes; then agentd is stopped,
 * files and secrets (sealed anew for this machine) get into their places, and last, in one move, the database. What config and database
 * were is kept in `/var/lib/aaos/before-restore` until the next time. Cut short, it is simply done again, and what was kept by then stays.
 */
export async function restoreBackup(
  { file, passphrase }: { readonly file: string; readonly passphrase: string },
  context: VerbContext,
): Promise<Restored> {
  const { machine, signal, progress } = context;
  const at = places({ root: machine.at("/") });
  mkdirSync(at.stateDir, { recursive: true, mode: 0o700 });
  const scratch = makeScratch(at);
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
  const mark = beginKeeping(before);
  for (const { place, name, file, mode } of staged.files) {
    const [base, below] = targetOf({ place, name }, at, machine.at("/etc/default"));
    if (place !== "state") keep(join(base, below), before, join(place, below));
    mkdirSync(base, { recursive: true, mode: 0o755 });
    const owner = place === "state" ? { uid, gid } : { uid: 0, gid: 0 };
    placeFile(file, base, below, { ...owner, mode });
  }
  for (const [name, secret] of staged.credentials) await setCredential({ name, secret }, context);
  const { about, files, credentials, database } = staged;
  const replaced = database === undefined ? null : swap(database, at, before, { uid, gid });
  rmSync(mark);
  syncDirectory(before);
  return { about, files: files.length, credentials: [...credentials.keys()], replaced };
}

/** A folder that is root's, and a name below it. */
function targetOf(
  { place, name }: Pick<StagedFile, "place" | "name">,
  at: Places,
  defaults: string,
): readonly [string, string] {
  if (place === "environment") return [defaults, "aaos"];
  return [place === "config" ? at.configDir : at.stateDir, name];
}

/**
 * The folder is new, unless a restore was cut short: what that one kept is from before it, and what lies in its place now may not be.
 * Gives the mark by which the next one knows. One that is not our own was planted.
 */
function beginKeeping(before: string): string {
  const mark = join(before, ".unfinished");
  const there = lstatSync(before, { throwIfNoEntry: false });
  const isOurs = there?.isDirectory() === true && there.uid === process.getuid?.();
  if (isOurs && existsSync(mark)) return mark;
  rmSync(before, { recursive: true, force: true });
  mkdirSync(before, { mode: 0o700 });
  writeFileWhole(mark, "", { mode: 0o600 });
  return mark;
}

function keep(target: string, before: string, name: string): void {
  if (!existsSync(target) || existsSync(join(before, name))) return;
  const mode = statSync(target).mode & 0o777;
  placeFile(target, before, name, { uid: 0, gid: 0, mode });
}

/** The old database is made one file, then both moves are made: at every moment there is a whole one, the old or the new. */
function swap(file: string, at: Places, before: string, owner: FileOwner): string | null {
  const target = at.databaseFile;
  const kept = join(before, "aaos.db");
  for (const rest of ["", "-wal", "-shm", "-journal"])
    if (lstatSync(`${target}${rest}`, { throwIfNoEntry: false })?.isFile() === false)
      rmSync(`${target}${rest}`, { recursive: true });
  if (existsSync(target)) {
    settle(target);
    if (!existsSync(kept)) linkSync(target, kept);
  }
  placeFile(file, dirname(target), basename(target), { ...owner, mode: 0o600 });
  return existsSync(kept) ? kept : null;
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
