import { createHash } from "node:crypto";
import { mkdir, open, rename } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { exportEvents } from "../../audit/export.js";
import type { RunId } from "../../protocol/ids.js";
import type { StoreReader } from "../../store/reader.js";

export interface ExportedRun {
  /** Below the state directory. */
  readonly file: string;
  /** Of the file as it lies there, in hex. */
  readonly sha256: string;
}

/**
 * Writes all events of a run, one JSON object a line, to `RUN_ID.ndjson.gz`, for the daemon's eyes alone. It is on the disk when this
 * returns, whole: one that was cut short is written anew. Throws the system's error.
 */
export async function exportRun(
  reader: StoreReader,
  run_id: RunId,
  exportsDir: string,
): Promise<ExportedRun> {
  await mkdir(exportsDir, { recursive: true, mode: 0o700 });
  const name = `${run_id}.ndjson.gz`;
  const unfinished = join(exportsDir, `${name}.new`);
  const digest = createHash("sha256");
  const events = exportEvents(reader, { run_id, after_seq: 0, limit: 1, reverse: false });
  await using file = await open(unfinished, "w", 0o600);
  await pipeline(Readable.from(events), createGzip(), async (chunks: AsyncIterable<Buffer>) => {
    for await (const chunk of chunks) {
      digest.update(chunk);
      await file.writeFile(chunk);
    }
  });
  await file.sync();
  await rename(unfinished, join(exportsDir, name));
  await using dir = await open(exportsDir, "r");
  await dir.sync();
  return { file: `exports/${name}`, sha256: digest.digest("hex") };
}
