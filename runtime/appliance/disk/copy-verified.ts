import { createHash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import { AgentdError } from "../../protocol/agentd-error.js";

const CHUNK_BYTES = 4 * 1024 * 1024;
const ZEROS = Buffer.alloc(CHUNK_BYTES);

export interface Copied {
  readonly sizeBytes: number;
  readonly sha256: string;
}

interface CopyOptions {
  readonly from: string;
  readonly to: string;
  readonly atBytes: number;
  /** Leaves zeros unwritten: for a target that holds zeros already. */
  readonly sparse?: boolean;
  /** Between writing and reading back: makes the second come from the medium. */
  readonly settle?: () => Promise<void>;
  /** Told of each chunk's length, written or read back. */
  readonly onBytes?: (bytes: number) => void;
  readonly signal: AbortSignal;
}

/** Copies a file to an offset of a disk or file, syncs it, reads it back and compares: gives what is there now, or throws. */
export async function copyVerified(options: CopyOptions): Promise<Copied> {
  const { from, to, atBytes, sparse = false, settle, onBytes = () => {}, signal } = options;
  await using source = await open(from, "r");
  const sum = createHash("sha256");
  let sizeBytes = 0;
  {
    await using target = await open(to, "r+");
    for await (const chunk of chunks(source, 0, Number.POSITIVE_INFINITY, signal)) {
      sum.update(chunk);
      if (!(sparse && chunk.equals(ZEROS.subarray(0, chunk.length))))
        await writeAll(target, chunk, atBytes + sizeBytes);
      sizeBytes += chunk.length;
      onBytes(chunk.length);
    }
    await target.sync();
  }
  await settle?.();
  const sha256 = sum.digest("hex");
  const found = await sha256At(to, atBytes, sizeBytes, signal, onBytes);
  if (found !== sha256)
    throw new AgentdError(
      "run_failed",
      "write disk",
      `${to} does not hold what was written to it`,
      {
        hint: "The medium is failing: replace it.",
      },
    );
  return { sizeBytes, sha256 };
}

/** The sum of a part of a disk or file. */
export async function sha256At(
  file: string,
  atBytes: number,
  sizeBytes: number,
  signal: AbortSignal,
  onBytes: (bytes: number) => void = () => {},
): Promise<string> {
  await using handle = await open(file, "r");
  const sum = createHash("sha256");
  for await (const chunk of chunks(handle, atBytes, sizeBytes, signal)) {
    sum.update(chunk);
    onBytes(chunk.length);
  }
  return sum.digest("hex");
}

/** A buffer is reused: what is given is good until the next one is asked for. */
async function* chunks(
  file: FileHandle,
  atBytes: number,
  sizeBytes: number,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
  let done = 0;
  while (done < sizeBytes) {
    signal.throwIfAborted();
    const length = Math.min(CHUNK_BYTES, sizeBytes - done);
    const { bytesRead } = await file.read(buffer, 0, length, atBytes + done);
    if (bytesRead === 0) return;
    yield buffer.subarray(0, bytesRead);
    done += bytesRead;
  }
}

async function writeAll(file: FileHandle, chunk: Buffer, atBytes: number): Promise<void> {
  for (let done = 0; done < chunk.length; ) {
    const { bytesWritten } = await file.write(chunk, done, chunk.length - done, atBytes + done);
    done += bytesWritten;
  }
}
