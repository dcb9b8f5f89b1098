import { constants } from "node:fs";
import { type FileHandle, open, readlink } from "node:fs/promises";
import { errnoOf, errorText } from "../base/error-text.js";
import { clipBytes } from "../base/text.js";
import type { DocumentReport } from "../protocol/control-results.js";

// No link as the last part, and no waiting for the other end of a pipe.
const FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/**
 * The first `maxBytes` of a document that a run declared. The daemon may read what an agent may not, and an agent's program may
 * have put a link where its document was: only a regular file that lies at exactly this path, no link on the way, is read.
 */
export async function readDocument(path: string, maxBytes: number): Promise<DocumentReport> {
  try {
    const file = await open(path, FLAGS);
    try {
      return await readOpened(file, path, maxBytes);
    } finally {
      await file.close();
    }
  } catch (thrown) {
    return unreadable(path, errnoOf(thrown) === "ENOENT" ? "it is gone" : errorText(thrown));
  }
}

async function readOpened(
  file: FileHandle,
  path: string,
  maxBytes: number,
): Promise<DocumentReport> {
  const place = await readlink(`/proc/self/fd/${file.fd}`);
  if (place !== path) return unreadable(path, `a link leads elsewhere, to ${place}`);
  const stat = await file.stat();
  if (!stat.isFile()) return unreadable(path, "it is no regular file");
  const { size } = stat;
  const buffer = Buffer.alloc(Math.min(size, maxBytes) + 1);
  const { bytesRead } = await file.read(buffer, 0, buffer.length, 0);
  const truncated = bytesRead > maxBytes;
  const text = buffer.subarray(0, Math.min(bytesRead, maxBytes)).toString("utf8");
  return {
    path,
    text: truncated ? clipBytes(text, maxBytes) : text,
    size_bytes: size,
    truncated,
    problem: null,
  };
}

function unreadable(path: string, problem: string): DocumentReport {
  return { path, text: null, size_bytes: null, truncated: false, problem };
}
