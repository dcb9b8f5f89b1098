import {
  createCipheriv,
  createDecipheriv,
  randomBytes,
  type ScryptOptions,
  scrypt,
} from "node:crypto";
import { promisify } from "node:util";
import { z } from "zod";
import { AgentdError } from "../../protocol/agentd-error.js";
import { ByteReader } from "./byte-reader.js";

/**
 * A stream under a passphrase: the magic line, one line that says how the key is made of the passphrase (scrypt, RFC 7914), then
 * chunks, each its length (u32, big endian) and AES-256-GCM's output. A chunk's nonce is its number and whether it is the last one, so
 * that none can be left out, repeated, moved or cut off (the STREAM construction of Hoang, Reyhanitabar, Rogaway and Vizár).
 */
const MAGIC = "aaos-backup 1\n";
const CHUNK_BYTES = 65_536;
const TAG_BYTES = 16;
const KEY_BYTES = 32;
const OP = "open backup";

const Header = z.strictObject({
  kdf: z.literal("scrypt"),
  // Bounded: a file from elsewhere may not cost more memory than this machine has.
  n: z.int().min(1024).max(131_072),
  r: z.literal(8),
  p: z.literal(1),
  salt: z.base64(),
});
type Header = z.infer<typeof Header>;

const STRENGTH = { n: 65_536, r: 8, p: 1 } as const;

/** The bytes of `plain`, sealed. */
export async function* seal(
  passphrase: string,
  plain: AsyncIterable<Buffer>,
): AsyncGenerator<Buffer> {
  const header: Header = {
    ...{ kdf: "scrypt", ...STRENGTH },
    salt: randomBytes(16).toString("base64"),
  };
  const line = `${JSON.stringify(header)}\n`;
  yield Buffer.from(MAGIC + line);
  const key = await keyOf(passphrase, header);
  const reader = new ByteReader(plain);
  for (let number = 0; ; number += 1) {
    const chunk = await reader.upTo(CHUNK_BYTES);
    const last = await reader.ended();
    const cipher = createCipheriv("aes-256-gcm", key, nonce(number, last));
    if (number === 0) cipher.setAAD(Buffer.from(line));
    const body = Buffer.concat([cipher.update(chunk), cipher.final(), cipher.getAuthTag()]);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(body.length);
    yield Buffer.concat([length, body]);
    if (last) return;
  }
}

/** The bytes that were sealed. Throws `invalid_file` for another passphrase, and for a file that was changed or is not whole. */
export async function* unseal(
  passphrase: string,
  sealed: AsyncIterable<Buffer>,
): AsyncGenerator<Buffer> {
  const reader = new ByteReader(sealed);
  if ((await reader.upTo(MAGIC.length)).toString("latin1") !== MAGIC)
    throw refusal("it is no backup of aaOS");
  const line = `${await reader.line(1024)}\n`;
  const key = await keyOf(passphrase, headerOf(line));
  for (let number = 0; ; number += 1) {
    const body = await nextChunk(reader);
    const last = await reader.ended();
    const plain = opened(key, number, last, number === 0 ? line : undefined, body);
    if (plain === undefined) throw number === 0 ? refusal(OTHER_KEY) : refusal(NOT_WHOLE);
    yield plain;
    if (last) return;
  }
}

const OTHER_KEY = "the passphrase is another one, or it was changed";
const NOT_WHOLE = "it was changed, or it is not whole";

async function nextChunk(reader: ByteReader): Promise<Buffer> {
  const length = await reader.upTo(4);
  const size = length.length < 4 ? 0 : length.readUInt32BE();
  if (size < TAG_BYTES || size > CHUNK_BYTES + TAG_BYTES) throw refusal(NOT_WHOLE);
  const body = await reader.upTo(size);
  if (body.length < size) throw refusal(NOT_WHOLE);
  return body;
}

function opened(
  key: Buffer,
  number: number,
  last: boolean,
  line: string | undefined,
  body: Buffer,
): Buffer | undefined {
  const decipher = createDecipheriv("aes-256-gcm", key, nonce(number, last), {
    authTagLength: TAG_BYTES,
  });
  if (line !== undefined) decipher.setAAD(Buffer.from(line));
  decipher.setAuthTag(body.subarray(-TAG_BYTES));
  try {
    return Buffer.concat([decipher.update(body.subarray(0, -TAG_BYTES)), decipher.final()]);
  } catch {
    return undefined;
  }
}

/** 12 bytes; every backup has a key of its own, so that a number is used once. */
function nonce(number: number, last: boolean): Buffer {
  const bytes = Buffer.alloc(12);
  bytes.writeUIntBE(number, 5, 6);
  bytes.writeUInt8(last ? 1 : 0, 11);
  return bytes;
}

function keyOf(passphrase: string, { n, r, p, salt }: Header): Promise<Buffer> {
  const make = promisify<string, Buffer, number, ScryptOptions, Buffer>(scrypt);
  const options = { N: n, r, p, maxmem: 256 * n * r };
  return make(passphrase.normalize("NFC"), Buffer.from(salt, "base64"), KEY_BYTES, options);
}

function headerOf(line: string): Header {
  try {
    return Header.parse(JSON.parse(line));
  } catch {
    throw refusal("its first lines are damaged");
  }
}

function refusal(message: string): AgentdError {
  return new AgentdError("invalid_file", OP, message, {
    hint: "Take another backup, or give its passphrase; nothing was changed.",
  });
}
