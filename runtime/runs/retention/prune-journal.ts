import { errorText } from "../../base/error-text.js";
import { RunId } from "../../protocol/ids.js";
import type { StoreReader } from "../../store/reader.js";
import type { EngineDeps } from "../deps.js";
import { exportRun } from "./export-run.js";

export type PruneDeps = Pick<EngineDeps, "journal" | "reader" | "log"> & {
  /** Where runs are written to; made where it is missing. */
  readonly exportsDir: string;
};

/** Runs that one sweep prunes at most; the next goes on. */
const MOST = 1_000;

/**
 * Writes every run that ended before `before` (RFC 3339 in UTC) to a file of its own and erases its content: of its events the
 * envelopes and digests stay, so that the chain verifies; the tables forget it. Nothing is erased before its file is on the disk. A run
 * that cannot be written or erased is told of and holds up no other.
 */
export async function pruneJournal(
  deps: PruneDeps,
  before: string,
  signal: AbortSignal,
): Promise<void> {
  for (const id of deps.reader.runsEndedBefore(before, MOST)) {
    if (signal.aborted) return;
    try {
      await pruneRun(deps, RunId.parse(id), before);
    } catch (thrown) {
      deps.log("warn", "a run could not be pruned", { run_id: id, error: errorText(thrown) });
    }
  }
}

async function pruneRun(deps: PruneDeps, run_id: RunId, before: string): Promise<void> {
  const { journal, reader, exportsDir } = deps;
  const written = await exportRun(reader, run_id, exportsDir);
  await journal.append([
    {
      kind: "content_erased",
      actor: "daemon",
      run_id,
      first_seq: edge(reader, run_id, false),
      last_seq: edge(reader, run_id, true),
      reason: `journal.retention_days: it ended before ${before}`,
      export: written,
    },
  ]);
}

/** `seq` of the run's first or last event. */
function edge(reader: StoreReader, run_id: RunId, reverse: boolean): number {
  const [event] = reader.events({ run_id, after_seq: 0, limit: 1, reverse });
  if (event === undefined) throw new Error(`run ${run_id} has no events`);
  return event.seq;
}
