import { createHash } from "node:crypto";
import { open } from "node:fs/promises";

const BLOCK_BYTES = 4096;
const READ_BLOCKS = 1024;

/**
 * The root hash of the dm-verity tree (version 1, SHA-256, blocks of 4096) over the first `sizeBytes` of a file: what the signed
 * manifest of a bundle names. docs.kernel.org/admin-guide/device-mapper/verity.html
 */
export async function verityRoot(
  file: string,
  sizeBytes: number,
  salt: Buffer,
  signal: AbortSignal,
): Promise<string> {
  await using handle = await open(file, "r");
  const buffer = Buffer.alloc(BLOCK_BYTES * READ_BLOCKS);
  let hashes: Buffer[] = [];
  for (let at = 0; at < sizeBytes; at += buffer.length) {
    signal.throwIfAborted();
    const wanted = Math.min(buffer.length, sizeBytes - at);
    const { bytesRead } = await handle.read(buffer, 0, wanted, at);
    if (bytesRead < wanted) return ""; // shorter than it says: no root fits
    hashes.push(...hashBlocks(buffer.subarray(0, wanted), salt));
  }
  while (hashes.length > 1) {
    const level = Buffer.concat(hashes);
    const whole = Buffer.alloc(Math.ceil(level.length / BLOCK_BYTES) * BLOCK_BYTES);
    level.copy(whole);
    hashes = hashBlocks(whole, salt);
  }
  return hashes[0]?.toString("hex") ?? "";
}

function hashBlocks(bytes: Buffer, salt: Buffer): Buffer[] {
  const hashes: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += BLOCK_BYTES)
    hashes.push(
      createHash("sha256")
        .update(salt)
        .update(bytes.subarray(at, at + BLOCK_BYTES))
        .digest(),
    );
  return hashes;
}
