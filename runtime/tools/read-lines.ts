import type { Granted } from "../protocol/access.js";
import type { FilesPort, PortResult } from "../protocol/ports.js";

/** Most bytes of lines given at once, and the size of one read. */
const MAX_BYTES = 1_048_576;
/** A file is scanned this far to number its lines. */
const MAX_SCAN_BYTES = 64 * MAX_BYTES;
const NEWLINE = 0x0a;

export interface Lines {
  /** Each line with its number, `%6d` and a tab before it. */
  readonly content: string;
  readonly size_bytes: number;
  readonly total_lines: number;
  readonly offset: number;
  readonly returned_lines: number;
  readonly truncated: boolean;
}

/**
 * Lines `offset` (from 1) to `offset + limit - 1` of a text file, at most 1 MiB of them, numbered. A file with a NUL byte at its
 * beginning is binary and `failed`; one over 64 MiB is `too_large`.
 */
export async function readLines(
  files: FilesPort,
  file: Granted<"file_read">,
  window: { readonly offset: number; readonly limit: number },
  signal: AbortSignal,
): Promise<PortResult<Lines>> {
  const scan = new LineScan(window.offset, window.limit);
  let position = 0;
  let sizeBytes = 0;
  do {
    const range = { offset_bytes: position, max_bytes: MAX_BYTES };
    const part = await files.read(file, range, signal);
    if (!part.ok) return part;
    sizeBytes = part.value.size_bytes;
    if (sizeBytes > MAX_SCAN_BYTES) return tooLarge(file.path, sizeBytes);
    if (position === 0 && isBinary(part.value.bytes)) return binary(file.path, sizeBytes);
    scan.push(part.value.bytes);
    position += part.value.bytes.length;
    if (part.value.bytes.length === 0) break;
  } while (position < sizeBytes);
  return { ok: true, value: { ...scan.finish(), size_bytes: sizeBytes } };
}

function tooLarge(path: string, sizeBytes: number): PortResult<never> {
  const message = `${path} has ${sizeBytes} bytes, more than the 64 MiB that are read by line; find the part with grep`;
  return { ok: false, kind: "too_large", message };
}

function binary(path: string, sizeBytes: number): PortResult<never> {
  const message = `${path} is a binary file of ${sizeBytes} bytes; only text can be read`;
  return { ok: false, kind: "failed", message };
}

function isBinary(bytes: Uint8Array): boolean {
  return bytes.subarray(0, 8_192).includes(0);
}

/** Counts all lines of a stream of bytes and keeps those of a window. */
class LineScan {
  readonly #offset: number;
  readonly #limit: number;
  readonly #kept: Uint8Array[] = [];
  #keptBytes = 0;
  #full = false;
  /** Line breaks seen, and whether bytes came after the last one. */
  #breaks = 0;
  #open = false;

  constructor(offset: number, limit: number) {
    this.#offset = offset;
    this.#limit = limit;
  }

  push(bytes: Uint8Array): void {
    let start = 0;
    while (start < bytes.length) {
      const found = bytes.indexOf(NEWLINE, start);
      const end = found === -1 ? bytes.length : found + 1;
      this.#keep(bytes.subarray(start, end));
      if (found !== -1) this.#breaks++;
      this.#open = found === -1;
      start = end;
    }
  }

  finish(): Omit<Lines, "size_bytes"> {
    const total = this.#breaks + (this.#open ? 1 : 0);
    const text = Buffer.concat(this.#kept).toString("utf8");
    const lines = text === "" ? [] : text.replace(/\n$/, "").split("\n");
    const numbered = lines.map(
      (line, i) => `${String(this.#offset + i).padStart(6)}\t${line.replace(/\r$/, "")}`,
    );
    const last = this.#offset - 1 + lines.length;
    return {
      content: numbered.join("\n"),
      total_lines: total,
      offset: this.#offset,
      returned_lines: lines.length,
      truncated: this.#full || last < total,
    };
  }

  /** A line over the bound is cut, and nothing after it is kept. */
  #keep(piece: Uint8Array): void {
    const line = this.#breaks + 1;
    if (this.#full || line < this.#offset || line >= this.#offset + this.#limit) return;
    const room = MAX_BYTES - this.#keptBytes;
    if (piece.length > room) this.#full = true;
    this.#kept.push(piece.slice(0, room));
    this.#keptBytes += Math.min(room, piece.length);
  }
}
