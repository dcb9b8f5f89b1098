import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
  verify,
} from "node:crypto";
import {
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  linkSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { z } from "zod";
import { AgentdError } from "../protocol/agentd-error.js";
import { storeError } from "../store/sqlite-error.js";
import { syncDirectory } from "../store/sync-directory.js";
import { type ChainHead, canonicalJson } from "./chain.js";
import type { SignedHead } from "./writer-protocol.js";

/** A full file becomes `.1`; heads before that one say nothing that a later one does not. */
const MAX_FILE_BYTES = 1_048_576;
const MAX_LINE_BYTES = 1_024;

const Head = z.strictObject({
  seq: z.int().positive(),
  hash: z.string().regex(/^[0-9a-f]{64}$/),
  time: z.string(),
  signature: z.string(),
});

/** Where the machine's key and the signed heads of the journal at `path` lie: beside it. */
export function headPaths(path: string): { readonly key: string; readonly heads: string } {
  const dir = dirname(path);
  return { key: join(dir, "audit-key.pem"), heads: join(dir, "audit-heads.ndjson") };
}

/** The machine's Ed25519 key; made once, 0600, whole or not at all. */
export function machineKey(keyPath: string): KeyObject {
  const found = readKey(keyPath);
  if (found !== undefined) return found;
  makeKey(keyPath);
  return machineKey(keyPath);
}

/** The machine's key, or undefined where none was made. */
export function readKey(keyPath: string): KeyObject | undefined {
  if (!existsSync(keyPath)) return undefined;
  try {
    return createPrivateKey(readFileSync(keyPath));
  } catch (thrown) {
    throw unreadableKey(keyPath, thrown);
  }
}

function unreadableKey(keyPath: string, cause: unknown): AgentdError {
  return new AgentdError("audit_broken", "read audit key", `${keyPath} holds no private key`, {
    hint: "Restore the file from a backup; a new key cannot vouch for what the old one signed.",
    cause,
  });
}

function makeKey(keyPath: string): void {
  const { privateKey } = generateKeyPairSync("ed25519");
  const partial = `${keyPath}.partial`;
  rmSync(partial, { force: true });
  const fd = openSync(partial, "wx", 0o600);
  try {
    writeSync(fd, String(privateKey.export({ type: "pkcs8", format: "pem" })));
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  linkSync(partial, keyPath);
  rmSync(partial);
  syncDirectory(dirname(keyPath));
}

function signedText(head: ChainHead & { readonly time: string }): Buffer {
  return Buffer.from(canonicalJson({ seq: head.seq, hash: head.hash, time: head.time }));
}

/** The head at `time`, signed. Ed25519 needs no digest (RFC 8032). */
export function signHead(key: KeyObject, head: ChainHead, time: string): SignedHead {
  const { seq, hash } = head;
  const signature = sign(null, signedText({ seq, hash, time }), key).toString("base64");
  return { seq, hash, time, signature };
}

export function isSignedBy(key: KeyObject, head: SignedHead): boolean {
  const publicKey = createPublicKey(key);
  return verify(null, signedText(head), publicKey, Buffer.from(head.signature, "base64"));
}

/** Appends one line and syncs it. If the disk is full the file is left as it was, and `disk_full` is thrown. */
export function appendHead(headsPath: string, head: SignedHead): void {
  try {
    rotate(headsPath);
    const fd = openSync(headsPath, "a+", 0o600);
    try {
      appendLine(fd, Buffer.from(`${JSON.stringify(head)}\n`), headsPath);
    } finally {
      closeSync(fd);
    }
  } catch (thrown) {
    throw storeError("write signed head", headsPath, thrown);
  }
}

function rotate(headsPath: string): void {
  if (existsSync(headsPath) && statSync(headsPath).size >= MAX_FILE_BYTES)
    renameSync(headsPath, `${headsPath}.1`);
}

/** A line that was torn by a crash is cut off first, so that the next one stands alone. */
function appendLine(fd: number, line: Buffer, headsPath: string): void {
  const whole = wholeBytes(fd);
  ftruncateSync(fd, whole);
  try {
    if (writeSync(fd, line) < line.length)
      throw new AgentdError("disk_full", "write signed head", `no room for ${headsPath}`);
    fsyncSync(fd);
  } catch (thrown) {
    ftruncateSync(fd, whole);
    throw thrown;
  }
}

/** The file's length up to the end of its last whole line. */
function wholeBytes(fd: number): number {
  const { size } = fstatSync(fd);
  const tail = Buffer.alloc(Math.min(size, MAX_LINE_BYTES));
  readSync(fd, tail, 0, tail.length, size - tail.length);
  return size - tail.length + tail.lastIndexOf("\n") + 1;
}

/** All heads on file, oldest first; `undefined` stands for a line that is none. An unfinished last line does not count. */
export function readHeads(headsPath: string): readonly (SignedHead | undefined)[] {
  const text = [`${headsPath}.1`, headsPath]
    .filter((file) => existsSync(file))
    .map((file) => readFileSync(file, "utf8"))
    .join("");
  return text
    .slice(0, text.lastIndexOf("\n") + 1)
    .split("\n")
    .filter((line) => line !== "")
    .map(parseHead);
}

function parseHead(line: string): SignedHead | undefined {
  try {
    const parsed = Head.safeParse(JSON.parse(line));
    return parsed.success ? parsed.data : undefined;
  } catch {
    return undefined;
  }
}
