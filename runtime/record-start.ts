import type { Logger } from "pino";
import type { Journal } from "./audit/journal.js";
import type { Configuration } from "./configuration.js";
import type { Confinement } from "./confinement.js";
import { VERSION } from "./version.js";

/** Says in the journal and in the log how the daemon begins: its version, what confines agents, and what of the catalog is broken. */
export async function recordStart({
  config,
  journal,
  log,
  confinement,
}: {
  readonly config: Configuration;
  readonly journal: Journal;
  readonly log: Logger;
  readonly confinement: Confinement;
}): Promise<void> {
  const { problems } = config.catalog;
  const layers = confinement.layers();
  await journal.append([
    {
      kind: "daemon_started",
      actor: "daemon",
      version: VERSION,
      pid: process.pid,
      confinement: [...layers],
    },
    ...problems.map(({ file, line, message }) => ({
      kind: "catalog_entry_disabled" as const,
      actor: "daemon",
      file,
      line,
      problem: message,
    })),
  ]);
  for (const problem of problems) log.warn(problem, "a file of the catalog disabled itself");
  if (layers.length > 0) log.info({ layers }, "agents are confined");
  else log.error("agents cannot be confined here, so none will run: see `agentd doctor`");
}
