import {
  closeSync,
  constants,
  createReadStream,
  existsSync,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
} from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { errnoOf } from "../../base/error-text.js";
import { places } from "../../protocol/places.js";
import type { BackupAbout } from "../../protocol/system-verbs.js";
import { openDatabase } from "../../store/open.js";
import { credentialFiles, SEALED_DIR, sealedNames } from "../credential-files.js";
import { type HeldFolder, holdFolder } from "../held-folder.js";
import { type Machine, mustRun } from "../machine.js";
import { type Entry, packEntry } from "./archive.js";
import { makeScratch } from "./scratch.js";

/** Of `/etc/aaos`: secrets go in by their values, who may come in belongs to the machine, and what is half made stays here. */
const NOT_CONFIG = /^(credentials|ssh|\..*)$/;
/** Of `/var/lib/aaos`: the database goes in as a copy, the index is made of it, and copies and what is half made stay here. */
const NOT_STATE = /^(aaos\.db.*|memory-index\.db.*|before-restore|\..*)$/;

/**
 * The machine's configuration, secrets, database and what agents keep, as one stream; nothing is stopped for it. `version` is the
 * program's. The database comes by SQLite's online backup: one moment of it, whatever is written meanwhile.
 */
export async function* makeBackup(
  machine: Machine,
  version: string,
  now: Date,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  const at = places({ root: machine.at("/") });
  const scratch = existsSync(at.stateDir) ? makeScratch(at) : undefined;
  try {
    const copy =
      scratch !== undefined && existsSync(at.databaseFile)
        ? await copyOnline(at.databaseFile, join(scratch, "aaos.db"))
        : undefined;
    const about: BackupAbout = {
      ...{ format: 1, version, hostname: hostname(), time: now.toISOString() },
      events: copy?.events ?? 0,
    };
    yield* packEntry(entry("about", "", 0o600), [Buffer.from(JSON.stringify(about))]);
    yield* packFolder("config", at.configDir, (name) => !NOT_CONFIG.test(name), signal);
    const environment = machine.at("/etc/default/aaos");
    if (existsSync(environment))
      yield* packEntry(entry("environment", "", 0o600), [readFileSync(environment)]);
    for (const [name, secret] of await readSecrets(machine, signal))
      yield* packEntry(entry("credential", name, 0o600), [Buffer.from(secret)]);
    if (copy !== undefined)
      yield* packEntry(
        entry("database", "", 0o600),
        createReadStream(copy.file, { ...READING, signal }),
      );
    yield* packFolder("state", at.stateDir, (name) => !NOT_STATE.test(name), signal);
    yield* packEntry(entry("end", "", 0), []);
  } finally {
    if (scratch !== undefined) rmSync(scratch, { recursive: true, force: true });
  }
}

const entry = (place: Entry["place"], name: string, mode: number): Entry => ({ place, name, mode });

/** All pages in one go: with pauses between them a daemon that writes would have it begin anew each time. */
async function copyOnline(
  from: string,
  file: string,
): Promise<{ readonly file: string; readonly events: number }> {
  const db = openDatabase(from, { readonly: true });
  try {
    await db.backup(file, { progress: () => 0x7fff_ffff });
  } finally {
    db.close();
  }
  const copy = openDatabase(file, { readonly: true });
  try {
    const row = copy
      .prepare<[], { n: number }>("SELECT coalesce(max(seq), 0) AS n FROM events")
      .get();
    return { file, events: row?.n ?? 0 };
  } finally {
    copy.close();
  }
}

/** Regular files alone, by name; a link is left where it is, and so is what became one after it was listed. */
async function* packFolder(
  place: "config" | "state",
  folder: string,
  wanted: (topName: string) => boolean,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  if (!existsSync(folder)) return;
  using held = holdFolder(realpathSync(folder));
  yield* packHeld(place, held, "", wanted, signal);
}

async function* packHeld(
  place: "config" | "state",
  held: HeldFolder,
  prefix: string,
  wanted: (name: string) => boolean,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  for (const name of readdirSync(held.path).sort()) {
    if (!wanted(name)) continue;
    const path = `${held.path}/${name}`;
    const kind = lstatSync(path, { throwIfNoEntry: false });
    if (kind?.isDirectory() === true) {
      using below = ifThere(() => holdFolder(path));
      if (below !== undefined)
        yield* packHeld(place, below, `${prefix}${name}/`, () => true, signal);
    } else if (kind?.isFile() === true) yield* packFile(place, path, `${prefix}${name}`, signal);
  }
}

/** It may have become a link, or a pipe that nobody writes to, since it was listed. */
async function* packFile(
  place: "config" | "state",
  path: string,
  name: string,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const fd = ifThere(() => openSync(path, flags));
  if (fd === undefined) return;
  try {
    const stat = fstatSync(fd);
    const bytes = createReadStream("", { ...READING, fd, autoClose: false, signal });
    if (stat.isFile()) yield* packEntry(entry(place, name, stat.mode & 0o777), bytes);
  } finally {
    closeSync(fd);
  }
}

/** Undefined for what a run's end has taken away, or is no longer what it was. */
function ifThere<T>(open: () => T): T | undefined {
  try {
    return open();
  } catch (thrown) {
    if (GONE.has(errnoOf(thrown) ?? "")) return undefined;
    throw thrown;
  }
}

const GONE = new Set(["ENOENT", "ELOOP", "ENOTDIR", "ENXIO"]);
const READING = { highWaterMark: 1_048_576 };

/** By name; those that are sealed for this machine are opened, for another one could not. */
async function readSecrets(
  machine: Machine,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, string>> {
  const secrets = new Map<string, string>();
  const plain = machine.at("/etc/aaos/credentials");
  // One that begins with a dot is half written.
  for (const name of existsSync(plain) ? readdirSync(plain).sort() : [])
    if (!name.startsWith(".") && statSync(join(plain, name)).isFile())
      secrets.set(name, readFileSync(join(plain, name), "utf8").replace(/\n$/, ""));
  const sealed = machine.at(SEALED_DIR);
  for (const { name, sealedAs } of sealedNames(existsSync(sealed) ? readdirSync(sealed) : [])) {
    const file = machine.at(credentialFiles(name).sealed);
    const open = ["decrypt", `--name=${sealedAs}`, file, "-"];
    secrets.set(name, await mustRun(machine, "systemd-creds", open, { signal }));
  }
  return secrets;
}
