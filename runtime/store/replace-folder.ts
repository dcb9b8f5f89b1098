import { existsSync, readdirSync, renameSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { syncDirectory } from "./sync-directory.js";

/** Beside a folder NAME: the one that goes (`.NAME.old`), one that is not whole yet or no more (`.NAME.part`). */
const beside = (place: string, what: "old" | "part"): string =>
  join(dirname(place), `.${basename(place)}.${what}`);

/** Where a folder is made that will be `place`. */
export const partOf = (place: string): string => beside(place, "part");

/**
 * Gives the folder `made` (on the same volume, what is in it on the disk) the name `place`, in the place of an older one, which goes
 * when the new one has its name for good. Where a power cut comes between, `mendFolders` (called before each change) has the older one back.
 */
export function replaceFolder(made: string, place: string): void {
  const old = beside(place, "old");
  if (existsSync(place)) renameSync(place, old);
  renameSync(made, place);
  syncDirectory(dirname(place));
  rmSync(old, { recursive: true, force: true });
}

/** Takes the folder's name away for good before anything in it goes: no half of it is ever found under its name. */
export function removeFolder(place: string): void {
  const part = partOf(place);
  renameSync(place, part);
  syncDirectory(dirname(place));
  rmSync(part, { recursive: true });
}

/** Ends what a power cut interrupted in `dir`: an older folder without its newer one has its name again, all other leftovers go. */
export function mendFolders(dir: string): void {
  if (!existsSync(dir)) return;
  for (const entry of readdirSync(dir)) {
    const [, name = "", what] = /^\.(.+)\.(old|part)$/.exec(entry) ?? [];
    if (what === undefined) continue;
    const [left, place] = [join(dir, entry), join(dir, name)];
    if (what === "old" && !existsSync(place)) renameSync(left, place);
    else rmSync(left, { recursive: true, force: true });
  }
}
