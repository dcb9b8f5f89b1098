import { readFile } from "node:fs/promises";
import { dirname } from "node:path";
import type { SeccompArch } from "../protocol/confinement.js";

/** Where the dynamic loader finds libraries by their soname. */
export interface LibraryCache {
  /** Every file of that name that it may take on this architecture: the plain one and those for newer processors. */
  readonly find: (soname: string) => readonly string[];
  /** Directories that hold them. */
  readonly dirs: ReadonlySet<string>;
}

const MAGIC = "glibc-ld.so.cache1.1";
const HEADER_BYTES = 48;
const ENTRY_BYTES = 24;
/** Bits of an entry's flags that name the architecture (`sysdeps/generic/ldconfig.h` of glibc). */
const ARCH_MASK = 0xff00;
const ARCH_FLAGS: Readonly<Record<SeccompArch, number>> = { x86_64: 0x0300, aarch64: 0x0a00 };

/** Reads `/etc/ld.so.cache` in the format of glibc 2.2 and later. A host without one has no library by name alone. */
export async function readLibraryCache(arch: SeccompArch): Promise<LibraryCache> {
  const bytes = await readFile("/etc/ld.so.cache").catch(() => Buffer.alloc(0));
  const entries = parseLibraryCache(bytes, arch);
  return {
    find: (soname) => entries.get(soname) ?? [],
    dirs: new Set([...entries.values()].flat().map((path) => dirname(path))),
  };
}

/** Paths by soname. Whatever is malformed is left out. */
export function parseLibraryCache(
  bytes: Buffer,
  arch: SeccompArch,
): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>();
  if (bytes.length < HEADER_BYTES || bytes.toString("latin1", 0, MAGIC.length) !== MAGIC) {
    return found;
  }
  const count = bytes.readUInt32LE(MAGIC.length);
  const text = (at: number) => {
    const end = bytes.indexOf(0, at);
    return end < 0 ? "" : bytes.toString("utf8", at, end);
  };
  for (let i = 0; i < count; i++) {
    const at = HEADER_BYTES + i * ENTRY_BYTES;
    if (at + ENTRY_BYTES > bytes.length) break;
    if ((bytes.readUInt32LE(at) & ARCH_MASK) !== ARCH_FLAGS[arch]) continue;
    const name = text(bytes.readUInt32LE(at + 4));
    const path = text(bytes.readUInt32LE(at + 8));
    if (path.startsWith("/")) found.set(name, [...(found.get(name) ?? []), path]);
  }
  return found;
}
