import { errorText } from "../../base/error-text.js";
import type { Settings } from "../../protocol/settings.js";
import type { EngineDeps } from "../deps.js";
import { type PruneDeps, pruneJournal } from "./prune-journal.js";
import { type SweepDeps, sweepWorkspaces } from "./sweep-workspaces.js";

const DAY_MS = 86_400_000;
const EVERY_MS = 3_600_000;

type RetentionDeps = SweepDeps &
  PruneDeps &
  Pick<EngineDeps, "entropy"> & { readonly settings: Pick<Settings, "run" | "journal"> };

/** Every hour, and at once: what was kept long enough goes, workspaces first. Disposing waits for the one that is being dealt with. */
export function openRetention(deps: RetentionDeps): AsyncDisposable {
  const { entropy, settings, log } = deps;
  const closing = new AbortController();
  const before = (days: number): string => new Date(entropy.now() - days * DAY_MS).toISOString();
  const sweep = async (): Promise<void> => {
    const { workspace_ttl_days } = settings.run;
    const { retention_days } = settings.journal;
    try {
      if (workspace_ttl_days > 0)
        await sweepWorkspaces(deps, before(workspace_ttl_days), closing.signal);
      if (retention_days > 0) await pruneJournal(deps, before(retention_days), closing.signal);
    } catch (thrown) {
      log("error", "what was kept long enough could not be removed", { error: errorText(thrown) });
    }
  };
  let sweeping = sweep();
  const timer = setInterval(() => {
    sweeping = sweeping.then(sweep);
  }, EVERY_MS);
  timer.unref();
  return {
    [Symbol.asyncDispose]: async () => {
      clearInterval(timer);
      closing.abort();
      await sweeping;
    },
  };
}
