import { readlink } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { LinkFact } from "../protocol/compile.js";

const MAX_LINKS = 40;

export interface Followed {
  /** Free of links as far as it exists. */
  readonly resolved: string;
  /** Every link on the way, in the order of meeting. */
  readonly links: readonly LinkFact[];
}

/** Follows the symbolic links of an absolute path one by one, the last component included. Never throws: a loop ends the walk. */
export async function followLinks(path: string): Promise<Followed> {
  const links: LinkFact[] = [];
  let pending = resolve(path).split("/").filter(Boolean);
  let at = "/";
  while (pending.length > 0) {
    const [name = "", ...rest] = pending;
    pending = rest;
    if (name === "..") {
      at = resolve(at, "..");
      continue;
    }
    const next = join(at, name);
    const target = await readlink(next).catch(() => undefined);
    if (target === undefined || links.length >= MAX_LINKS) {
      at = next;
      continue;
    }
    links.push({ path: next, target });
    pending = [...target.split("/").filter((part) => part !== "" && part !== "."), ...rest];
    if (target.startsWith("/")) at = "/";
  }
  return { resolved: at, links };
}
