import { readdir } from "node:fs/promises";
import { errnoOf, errorText } from "../../base/error-text.js";
import type { StoreReader } from "../../store/reader.js";
import type { EngineDeps } from "../deps.js";
import { removeTree } from "./remove-tree.js";

export type SweepDeps = Pick<EngineDeps, "journal" | "reader" | "log" | "workspaceBase">;

/**
 * Removes the workspace folders of runs and agents that ended before `before` (RFC 3339 in UTC), each journaled first. What goes on, and what
 * the journal does not know, stays. One that cannot be removed is told of and holds up no other.
 */
export async function sweepWorkspaces(
  { journal, reader, log, workspaceBase }: SweepDeps,
  before: string,
  signal: AbortSignal,
): Promise<void> {
  for (const workspace of await foldersOf(workspaceBase)) {
    if (signal.aborted) return;
    const ended_at = endOf(workspace, reader);
    if (ended_at === null || ended_at >= before) continue;
    try {
      await journal.append([{ kind: "workspace_removed", actor: "daemon", workspace, ended_at }]);
      await removeTree(workspaceBase, workspace);
    } catch (thrown) {
      log("warn", "a workspace could not be removed", { workspace, error: errorText(thrown) });
    }
  }
}

async function foldersOf(base: string): Promise<readonly string[]> {
  try {
    const entries = await readdir(base, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  } catch (thrown) {
    if (errnoOf(thrown) === "ENOENT") return [];
    throw thrown;
  }
}

/** When the run or agent of this id ended; null where it goes on or was never there. */
function endOf(id: string, reader: StoreReader): string | null {
  const run = reader.run(id);
  if (run !== undefined) return run.ended_at;
  const agent = reader.agent(id);
  if (agent !== undefined) return agent.ended_at;
  // Of a run whose content was erased the envelopes stay, and the last move is its end.
  const [last] = reader.events({
    run_id: id,
    kind: ["run_state_changed"],
    ...{ after_seq: 0, limit: 1, reverse: true },
  });
  return last?.time ?? null;
}
