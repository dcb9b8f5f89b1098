import { canonicalHost } from "../../protocol/host-name.js";
import { bad, done, MORE, type Parsed } from "./parsed.js";

const CHANGE_CIPHER_SPEC_RECORD = 0x14;
const ALERT_RECORD = 0x15;
const HANDSHAKE_RECORD = 0x16;
const CLIENT_HELLO = 1;
const MAX_RECORD_BYTES = 16_384;
/** A ClientHello with post-quantum keys and a session ticket is 2 to 4 KiB. */
const MAX_HELLO_BYTES = 32_768;
/** No TLS library cuts a ClientHello into more; the bound keeps a dribbling client cheap. */
const MAX_RECORDS = 64;
const MAX_SKIPPED_RECORDS = 4;
const EXTENSION_SERVER_NAME = 0;
const EXTENSION_EARLY_DATA = 42;
const EXTENSION_ENCRYPTED_CLIENT_HELLO = 0xfe0d;

const TOO_LARGE = bad("the ClientHello is too large");

export interface ClientHello {
  /** Canonical; null where the client sends none. */
  readonly serverName: string | null;
  /** The client hides, or pretends to hide (GREASE), another name. */
  readonly encrypted: boolean;
  /** The client means to send application data before the server has answered. */
  readonly earlyData: boolean;
}

/**
 * The name in the ClientHello at the beginning of a TLS connection (RFC 8446 section 4.1.2, RFC 6066 section 3), however
 * it is cut into records. `consumed` counts all records read, so that the very bytes can be passed on. What is no TLS, and
 * any inconsistent length, is `bad`: a server might read it otherwise.
 */
export function parseClientHello(bytes: Buffer): Parsed<ClientHello> {
  const handshake = joinRecords(bytes);
  if (handshake.kind !== "done") return handshake;
  const hello = readHello(handshake.value);
  return typeof hello === "string" ? bad(hello) : done(hello, handshake.consumed);
}

/** The whole first handshake message, taken out of its records. */
function joinRecords(bytes: Buffer): Parsed<Buffer> {
  const parts: Buffer[] = [];
  let offset = 0;
  let size = 0;
  let wanted: number | undefined;
  while (wanted === undefined || size < wanted) {
    const record = parts.length < MAX_RECORDS ? readRecord(bytes, offset) : TOO_LARGE;
    if (record.kind !== "done") return record;
    parts.push(record.value);
    size += record.value.length;
    offset += record.consumed;
    if (parts[0]?.[0] !== CLIENT_HELLO) return bad("the first handshake message is no ClientHello");
    if (size >= 4) wanted ??= 4 + Buffer.concat(parts).readUIntBE(1, 3);
    if (wanted !== undefined && wanted > MAX_HELLO_BYTES) return TOO_LARGE;
  }
  if (size > wanted) return bad("the ClientHello is followed by something else");
  return done(Buffer.concat(parts).subarray(4), offset);
}

function readRecord(bytes: Buffer, offset: number): Parsed<Buffer> {
  const [type, major, minor] = bytes.subarray(offset, offset + 3);
  if (type !== undefined && type !== HANDSHAKE_RECORD) return bad("no TLS handshake");
  if (major !== undefined && major !== 3) return bad("no TLS handshake");
  if (minor !== undefined && minor > 4) return bad("the TLS record version is unknown");
  if (bytes.length < offset + 5) return MORE;
  const length = bytes.readUInt16BE(offset + 3);
  if (length === 0 || length > MAX_RECORD_BYTES) return bad("a TLS record has a wrong size");
  const end = offset + 5 + length;
  return bytes.length < end ? MORE : done(bytes.subarray(offset + 5, end), 5 + length);
}

function readHello(hello: Buffer): ClientHello | string {
  // legacy_version and random come first, then four vectors.
  let offset = 34;
  for (const width of [1, 2, 1] as const) {
    const next = skipVector(hello, offset, width);
    if (next === undefined) return "the ClientHello is cut short";
    offset = next;
  }
  if (offset === hello.length) return { serverName: null, encrypted: false, earlyData: false };
  if (skipVector(hello, offset, 2) !== hello.length)
    return "the ClientHello's extensions are malformed";
  return readExtensions(hello.subarray(offset + 2));
}

function readExtensions(bytes: Buffer): ClientHello | string {
  const seen = new Map<number, Buffer>();
  for (let offset = 0; offset < bytes.length; ) {
    const end = skipVector(bytes, offset + 2, 2);
    if (end === undefined) return "an extension is cut short";
    const type = bytes.readUInt16BE(offset);
    if (seen.has(type)) return "an extension comes twice";
    seen.set(type, bytes.subarray(offset + 4, end));
    offset = end;
  }
  const encrypted = seen.has(EXTENSION_ENCRYPTED_CLIENT_HELLO);
  const earlyData = seen.has(EXTENSION_EARLY_DATA);
  const names = seen.get(EXTENSION_SERVER_NAME);
  if (names === undefined) return { serverName: null, encrypted, earlyData };
  const serverName = readServerName(names);
  return serverName === undefined
    ? "the server name is malformed"
    : { serverName, encrypted, earlyData };
}

/** Exactly one entry of type host_name, spelled in canonical form but for its case: a server reads these bytes. */
function readServerName(list: Buffer): string | undefined {
  if (list.length < 5 || skipVector(list, 0, 2) !== list.length || list[2] !== 0) return undefined;
  if (skipVector(list, 3, 2) !== list.length) return undefined;
  const text = list.toString("latin1", 5).toLowerCase();
  return canonicalHost(text) === text ? text : undefined;
}

/** The offset behind a vector whose length is written in `width` bytes at `offset`, or undefined if it does not fit. */
function skipVector(bytes: Buffer, offset: number, width: 1 | 2): number | undefined {
  if (offset + width > bytes.length) return undefined;
  const end = offset + width + bytes.readUIntBE(offset, width);
  return end <= bytes.length ? end : undefined;
}

/**
 * Whether the client's second flight is another ClientHello, as it is after a HelloRetryRequest: `null` where it is not.
 * change_cipher_spec (RFC 8446 section 5) and alerts may come first; `consumed` is 0 unless there was a ClientHello.
 */
export function parseSecondHello(bytes: Buffer): Parsed<ClientHello | null> {
  let offset = 0;
  for (let skipped = 0; isSkippable(bytes[offset]); skipped++) {
    if (bytes.length < offset + 5) return MORE;
    const length = bytes.readUInt16BE(offset + 3);
    if (length > 2 || skipped === MAX_SKIPPED_RECORDS) return bad("a TLS record is out of place");
    offset += 5 + length;
  }
  const type = bytes[offset];
  const message = bytes[offset + 5];
  if (type === undefined) return MORE;
  if (type !== HANDSHAKE_RECORD) return done(null, 0);
  if (message === undefined) return MORE;
  if (message !== CLIENT_HELLO) return done(null, 0);
  const hello = parseClientHello(bytes.subarray(offset));
  return hello.kind === "done" ? done(hello.value, offset + hello.consumed) : hello;
}

function isSkippable(type: number | undefined): boolean {
  return type === CHANGE_CIPHER_SPEC_RECORD || type === ALERT_RECORD;
}
