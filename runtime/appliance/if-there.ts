import { readdirSync, readFileSync } from "node:fs";

/** A file's text; undefined where it cannot be read. */
export function textIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}

/** The names in a folder; none where it cannot be read. */
export function namesIfThere(dir: string): readonly string[] {
  try {
    return readdirSync(dir);
  } catch {
    return [];
  }
}
