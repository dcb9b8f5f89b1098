/**
 * The file worker's wire, mirrored by `native/src/file_wire.h`: frames of a little-endian u32 length and a body, requests with an
 * id, replies in the same order. Encoding and decoding only; both throw `RangeError` on what the other side could not mean.
 */

/** Content of one replace or append: a whole frame is at most 16 MiB. */
export const MAX_CONTENT_BYTES = 16 * 1_024 * 1_024 - 8_192;
/** One read; longer ranges are several. */
export const MAX_READ_BYTES = 8 * 1_024 * 1_024;
const MAX_ENTRIES = 100_000;
/** A reply is never longer: a full listing of the longest names. */
const MAX_REPLY_BYTES = 64 * 1_024 * 1_024;

export type FileRequest =
  | {
      readonly verb: "read";
      readonly path: string;
      readonly offset_bytes: number;
      readonly max_bytes: number;
    }
  | { readonly verb: "list"; readonly path: string; readonly max_entries: number }
  | { readonly verb: "stat" | "make_dir"; readonly path: string }
  | { readonly verb: "replace" | "append"; readonly path: string; readonly content: Uint8Array };

export type FileEntryKind = "file" | "dir" | "symlink" | "other";

export interface FileEntry {
  readonly name: string;
  readonly kind: FileEntryKind;
  readonly size_bytes: number;
}

/** What came of a request. `errno` is the kernel's number; `denied` names the right and the path it is missing for. */
export type FileReply =
  | { readonly id: number; readonly status: "done"; readonly body: Uint8Array }
  | { readonly id: number; readonly status: "failed"; readonly errno: number }
  | {
      readonly id: number;
      readonly status: "denied";
      readonly right: "read" | "write";
      readonly path: string;
    };

const VERBS = { read: 1, list: 2, stat: 3, replace: 4, append: 5, make_dir: 6 } as const;
const KINDS: readonly (FileEntryKind | undefined)[] = [
  undefined,
  "file",
  "dir",
  "symlink",
  "other",
];

/** Header and, apart from it, content that need not be copied: what is written to the socket, in this order. */
export function encodeRequest(id: number, request: FileRequest): readonly Uint8Array[] {
  const path = Buffer.from(request.path, "utf8");
  const content = "content" in request ? request.content : new Uint8Array();
  if (path.length > 4_000) throw new RangeError("the path is too long");
  if (content.length > MAX_CONTENT_BYTES) throw new RangeError("the content is too long");
  const numbers = encodeNumbers(request);
  const head = Buffer.allocUnsafe(11 + path.length + numbers.length);
  head.writeUInt32LE(head.length - 4 + content.length, 0);
  head.writeUInt32LE(id, 4);
  head.writeUInt8(VERBS[request.verb], 8);
  head.writeUInt16LE(path.length, 9);
  path.copy(head, 11);
  numbers.copy(head, 11 + path.length);
  return content.length === 0 ? [head] : [head, content];
}

function encodeNumbers(request: FileRequest): Buffer {
  if (request.verb === "read") {
    const out = Buffer.allocUnsafe(12);
    out.writeBigUInt64LE(BigInt(request.offset_bytes), 0);
    out.writeUInt32LE(Math.min(request.max_bytes, MAX_READ_BYTES), 8);
    return out;
  }
  if (request.verb !== "list") return Buffer.alloc(0);
  const out = Buffer.allocUnsafe(4);
  out.writeUInt32LE(Math.min(request.max_entries, MAX_ENTRIES), 0);
  return out;
}

/** Takes whole frames off the front of what has arrived; the rest waits for more. */
export function takeFrames(received: Buffer): {
  readonly frames: readonly Buffer[];
  readonly rest: Buffer;
} {
  const frames: Buffer[] = [];
  let at = 0;
  while (received.length - at >= 4) {
    const length = received.readUInt32LE(at);
    if (length > MAX_REPLY_BYTES) throw new RangeError("the frame is too long");
    if (received.length - at - 4 < length) break;
    frames.push(received.subarray(at + 4, at + 4 + length));
    at += 4 + length;
  }
  return { frames, rest: received.subarray(at) };
}

export function decodeReply(frame: Buffer): FileReply {
  const id = frame.readUInt32LE(0);
  const status = frame.readUInt8(4);
  if (status === 0) return { id, status: "done", body: frame.subarray(5) };
  if (status === 1) return { id, status: "failed", errno: frame.readUInt16LE(5) };
  if (status !== 2) throw new RangeError(`no reply has status ${status}`);
  const right = frame.readUInt8(5) === 1 ? "read" : "write";
  return { id, status: "denied", right, path: frame.toString("utf8", 6) };
}

/** The body of a `read`: a copy, so that nothing else of the frame is kept alive. */
export function decodeRead(body: Uint8Array): {
  readonly bytes: Uint8Array;
  readonly size_bytes: number;
} {
  const view = viewOf(body);
  return { size_bytes: Number(view.getBigUint64(0, true)), bytes: body.slice(8) };
}

export function decodeStat(body: Uint8Array): {
  readonly kind: FileEntryKind;
  readonly size_bytes: number;
} {
  const view = viewOf(body);
  return { kind: kindOf(view.getUint8(0)), size_bytes: Number(view.getBigUint64(1, true)) };
}

export function decodeList(body: Uint8Array): {
  readonly kind: FileEntryKind;
  readonly truncated: boolean;
  readonly entries: readonly FileEntry[];
} {
  const view = viewOf(body);
  const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  const count = view.getUint32(2, true);
  const entries: FileEntry[] = [];
  let at = 6;
  for (let i = 0; i < count; i++) {
    const kind = kindOf(view.getUint8(at));
    const sizeBytes = Number(view.getBigUint64(at + 1, true));
    const length = view.getUint16(at + 9, true);
    if (at + 11 + length > body.byteLength) throw new RangeError("the listing is cut short");
    entries.push({
      name: text.toString("utf8", at + 11, at + 11 + length),
      kind,
      size_bytes: sizeBytes,
    });
    at += 11 + length;
  }
  return { kind: kindOf(view.getUint8(0)), truncated: view.getUint8(1) === 1, entries };
}

/** Of `replace` and `append`. */
export function decodeWritten(body: Uint8Array): number {
  return Number(viewOf(body).getBigUint64(0, true));
}

function viewOf(body: Uint8Array): DataView {
  return new DataView(body.buffer, body.byteOffset, body.byteLength);
}

function kindOf(value: number): FileEntryKind {
  const kind = KINDS[value];
  if (kind === undefined) throw new RangeError(`no entry has kind ${value}`);
  return kind;
}
