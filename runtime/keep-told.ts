import type { Logger } from "pino";
import type { Journal } from "./audit/journal.js";
import { formatProblem } from "./catalog/file-problem.js";
import type { Confinement } from "./confinement.js";
import type { LiveConfiguration } from "./live-configuration.js";
import type { ModelDirectory } from "./providers/models.js";
import type { ServiceManager } from "./service-manager.js";
import type { Hangups } from "./signals.js";
import type { StoreReader } from "./store/reader.js";

interface Told {
  readonly live: LiveConfiguration;
  readonly manager: ServiceManager;
  readonly log: Logger;
  readonly journal: Journal;
  readonly reader: StoreReader;
  readonly models: ModelDirectory;
  readonly confinement: Confinement;
}

const STATUS_MS = 5_000;

/** Reloads on SIGHUP and keeps the status text true, until it is disposed of. */
export function keepTold(rooms: Told, hangups: Hangups): Disposable {
  const { manager } = rooms;
  const untilThen = hangups.listen(() => {
    manager.reloading();
    void reload(rooms).finally(() => manager.ready(statusText(rooms)));
  });
  let said = "";
  const timer = setInterval(() => {
    const text = statusText(rooms);
    if (text !== said) manager.status(text);
    said = text;
  }, STATUS_MS).unref();
  return {
    [Symbol.dispose]: () => {
      untilThen[Symbol.dispose]();
      clearInterval(timer);
    },
  };
}

/** Reads the files again and says what came of it, in the log and in the trail. Never rejects. */
async function reload({ live, journal, log }: Told): Promise<void> {
  try {
    const broken = live.reload();
    const problems = [
      ...broken.map(({ message }) => message),
      ...live.config.catalog.problems.map(formatProblem),
    ];
    await journal.append([{ kind: "configuration_reloaded", actor: "daemon", problems }]);
    for (const problem of problems) log.error(`${problem}: what it said before stays in force`);
    log.info({ problems: problems.length }, "configuration read again");
  } catch (err) {
    log.error({ err }, "the configuration could not be read again");
  }
}

/** What `systemctl status` shows. */
export function statusText({ reader, models, confinement }: Told): string {
  const runs = reader.runs({ all: false }).length;
  const confined =
    confinement.layers().length > 0 ? "" : "; agents cannot be confined, none will run";
  return `${runs} ${runs === 1 ? "run" : "runs"}; default provider ${models.default_provider}${confined}`;
}
