import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readSync,
  realpathSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { syncDirectory } from "../store/sync-directory.js";

/**
 * A folder held by its descriptor: names below `path` are looked up in that very folder, whatever becomes of its own name meanwhile.
 * For root in folders that belong to somebody else (`/var/lib/aaos`), where any name may be a link that was planted.
 */
export interface HeldFolder {
  readonly path: string;
  readonly [Symbol.dispose]: () => void;
}

export interface FileOwner {
  readonly uid: number;
  readonly gid: number;
}

/**
 * Opens the folder at a path whose parents are trusted, or of a name in a held one; a link there is no folder (`ENOTDIR`). With
 * `owner` it is given to them.
 */
export function holdFolder(path: string, owner?: FileOwner): HeldFolder {
  const fd = openSync(path, constants.O_DIRECTORY | constants.O_NOFOLLOW);
  if (owner !== undefined) own(fd, owner);
  return { path: `/proc/self/fd/${fd}`, [Symbol.dispose]: () => closeSync(fd) };
}

/**
 * Puts a copy of a file at `name` (a path) below the folder `base`, whole or not at all. No link is followed on the way: what is no
 * folder where one has to be goes, and folders that are made belong to the file's owner.
 */
export function placeFile(
  from: string,
  base: string,
  name: string,
  owner: FileOwner & { readonly mode: number },
): void {
  using folder = holdFolder(realpathSync(base));
  placeBelow(from, folder, name.split("/"), owner);
}

function placeBelow(
  from: string,
  folder: HeldFolder,
  [name = "", ...rest]: readonly string[],
  owner: FileOwner & { readonly mode: number },
): void {
  const target = `${folder.path}/${name}`;
  if (rest.length === 0) placeIn(from, folder, target, owner);
  else {
    using next = enterOrMake(target, owner);
    placeBelow(from, next, rest, owner);
  }
}

function enterOrMake(path: string, owner: FileOwner): HeldFolder {
  const there = lstatSync(path, { throwIfNoEntry: false });
  if (there?.isDirectory() === true) return holdFolder(path);
  rmSync(path, { force: true });
  mkdirSync(path, { mode: 0o750 });
  return holdFolder(path, owner);
}

function placeIn(
  from: string,
  folder: HeldFolder,
  target: string,
  owner: FileOwner & { readonly mode: number },
): void {
  const part = `${folder.path}/.placing`;
  rmSync(part, { recursive: true, force: true });
  const fd = openSync(part, "wx", 0o600);
  try {
    copyInto(fd, from);
    own(fd, owner);
    fchmodSync(fd, owner.mode);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  if (lstatSync(target, { throwIfNoEntry: false })?.isDirectory() === true)
    rmSync(target, { recursive: true });
  renameSync(part, target);
  syncDirectory(folder.path);
}

function copyInto(fd: number, from: string): void {
  const source = openSync(from, "r");
  const block = Buffer.allocUnsafe(1_048_576);
  try {
    for (let count = readSync(source, block); count > 0; count = readSync(source, block))
      for (let at = 0; at < count; at += writeSync(fd, block, at, count - at));
  } finally {
    closeSync(source);
  }
}

/** Only root can give files away; a test that is not keeps them. */
function own(fd: number, { uid, gid }: FileOwner): void {
  if (process.getuid?.() === 0) fchownSync(fd, uid, gid);
}
