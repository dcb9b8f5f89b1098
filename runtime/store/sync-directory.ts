import { closeSync, fsyncSync, openSync } from "node:fs";

/** What was created, moved or removed in `dir` survives a power cut once this returns. */
export function syncDirectory(dir: string): void {
  const fd = openSync(dir, "r");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
