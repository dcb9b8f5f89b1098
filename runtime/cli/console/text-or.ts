import { readFileSync } from "node:fs";

/** A file's text; empty where it cannot be read. */
export function textOr(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
