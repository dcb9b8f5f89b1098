import { type FileHandle, open } from "node:fs/promises";

/** What the dynamic loader would do with a program or library, read from the file itself; nothing of it is run. */
export interface ElfFile {
  /** PT_INTERP: the dynamic loader. Null for a static program and for a library. */
  readonly interpreter: string | null;
  /** DT_NEEDED, by soname. */
  readonly needed: readonly string[];
  /** DT_RPATH and DT_RUNPATH, `$ORIGIN` not yet replaced. */
  readonly search: readonly string[];
}

const PT_LOAD = 1;
const PT_DYNAMIC = 2;
const PT_INTERP = 3;
const DT_NEEDED = 1;
const DT_STRTAB = 5;
const DT_RPATH = 15;
const DT_RUNPATH = 29;
/** No honest table is larger; a broken file is then "no ELF". */
const MAX_TABLE_BYTES = 1_048_576;

interface Segment {
  readonly type: number;
  readonly offset: number;
  readonly address: number;
  readonly size: number;
}

/** Null where the file is no 64-bit little-endian ELF file, or a damaged one. Rejects where it cannot be read. */
export async function readElf(path: string): Promise<ElfFile | null> {
  const file = await open(path, "r");
  try {
    const header = await readAt(file, 0, 64);
    if (
      header === null ||
      !header.subarray(0, 6).equals(Buffer.from("\x7fELF\x02\x01", "latin1"))
    ) {
      return null;
    }
    const segments = await readSegments(file, header);
    return segments === null ? null : await readDynamic(file, segments);
  } finally {
    await file.close();
  }
}

/** The first line of a script, without `#!`; null where the file begins otherwise. */
export async function readShebang(path: string): Promise<readonly string[] | null> {
  const file = await open(path, "r");
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(256), 0, 256, 0);
    const text = buffer.toString("utf8", 0, bytesRead);
    const line = /^#![ \t]*([^\n]+)\n/.exec(text)?.[1];
    return line === undefined ? null : line.trim().split(/[ \t]+/);
  } finally {
    await file.close();
  }
}

async function readSegments(file: FileHandle, header: Buffer): Promise<readonly Segment[] | null> {
  const entrySize = header.readUInt16LE(54);
  const count = header.readUInt16LE(56);
  if (entrySize < 56) return null;
  const table = await readAt(file, Number(header.readBigUInt64LE(32)), entrySize * count);
  if (table === null) return null;
  return Array.from({ length: count }, (_, i) => {
    const at = i * entrySize;
    return {
      type: table.readUInt32LE(at),
      offset: Number(table.readBigUInt64LE(at + 8)),
      address: Number(table.readBigUInt64LE(at + 16)),
      size: Number(table.readBigUInt64LE(at + 32)),
    };
  });
}

async function readDynamic(
  file: FileHandle,
  segments: readonly Segment[],
): Promise<ElfFile | null> {
  const interp = segments.find(({ type }) => type === PT_INTERP);
  const name = interp === undefined ? null : await readAt(file, interp.offset, interp.size);
  const interpreter = name === null ? null : name.toString("utf8").replace(/\0.*$/s, "");
  const dynamic = segments.find(({ type }) => type === PT_DYNAMIC);
  const table = dynamic === undefined ? null : await readAt(file, dynamic.offset, dynamic.size);
  if (table === null) return { interpreter, needed: [], search: [] };
  const entries = Array.from({ length: Math.floor(table.length / 16) }, (_, i) => ({
    tag: Number(table.readBigInt64LE(i * 16)),
    value: Number(table.readBigUInt64LE(i * 16 + 8)),
  }));
  const firstOf = (wanted: number) => entries.find(({ tag }) => tag === wanted)?.value;
  const offset = fileOffset(segments, firstOf(DT_STRTAB) ?? -1);
  if (offset === undefined) return null;
  const all = async (...tags: readonly number[]): Promise<readonly string[]> => {
    const wanted = entries.filter(({ tag }) => tags.includes(tag));
    const texts = await Promise.all(wanted.map(({ value }) => readText(file, offset + value)));
    return texts.filter((text) => text !== "");
  };
  return {
    interpreter,
    needed: await all(DT_NEEDED),
    search: (await all(DT_RPATH, DT_RUNPATH)).flatMap((list) => list.split(":")),
  };
}

/** A name of the string table, which may be many megabytes long as a whole. Empty where it does not end. */
async function readText(file: FileHandle, offset: number): Promise<string> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(1_024), 0, 1_024, offset);
  const end = buffer.indexOf(0);
  return end < 0 || end > bytesRead ? "" : buffer.toString("utf8", 0, end);
}

function fileOffset(segments: readonly Segment[], address: number): number | undefined {
  const load = segments.find(
    ({ type, address: from, size }) => type === PT_LOAD && address >= from && address < from + size,
  );
  return load === undefined ? undefined : address - load.address + load.offset;
}

async function readAt(file: FileHandle, offset: number, size: number): Promise<Buffer | null> {
  if (!(size >= 0 && size <= MAX_TABLE_BYTES) || !Number.isSafeInteger(offset)) return null;
  const { buffer, bytesRead } = await file.read(Buffer.alloc(size), 0, size, offset);
  return bytesRead === size ? buffer : null;
}
