import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import pino, { type Logger } from "pino";
import { type Journal, openJournal } from "./audit/journal.js";
import { makeRedactor } from "./audit/redact.js";
import { verifyOffLoop } from "./audit/verify-off-loop.js";
import type { Entropy } from "./base/ulid.js";
import { explainRole } from "./catalog/explain-role.js";
import {
  type Configuration,
  type ConfigurationSources,
  readConfiguration,
} from "./configuration.js";
import { type Confinement, type Launcher, openConfinement, startLauncher } from "./confinement.js";
import { makeHandlers } from "./control/handlers.js";
import { startServer } from "./control/server.js";
import { diagnose } from "./doctor.js";
import type { ExitCode } from "./protocol/error-code.js";
import { neverGrantable } from "./protocol/places.js";
import { openModels } from "./providers/directory.js";
import type { ModelDirectory } from "./providers/models.js";
import type { NetworkOptions } from "./providers/network.js";
import type { EngineDeps } from "./runs/deps.js";
import type { RunEngine } from "./runs/engine.js";
import { openEngine } from "./runs/open-engine.js";
import { openSchedules, type Schedules } from "./runs/schedules.js";
import { openReader } from "./store/open-reader.js";
import type { StoreReader } from "./store/reader.js";
import { BUILTIN_TOOLS, toolSpec } from "./tools/registry.js";
import { VERSION } from "./version.js";

/** How long a stopping daemon waits for tool calls under way, in ms. */
const STOP_GRACE_MS = 5_000;

export interface DaemonOptions extends ConfigurationSources {
  /** Where programs are looked up. */
  readonly path: string;
  /** The folder of the compiled program, and the one of what `native/` builds. */
  readonly programDir: string;
  readonly nativeDir: string;
}

/** What lives as long as the daemon. */
interface Rooms {
  readonly config: Configuration;
  readonly log: Logger;
  readonly journal: Journal;
  readonly reader: StoreReader;
  readonly models: ModelDirectory;
  readonly engine: RunEngine;
  readonly entropy: Entropy;
  readonly confinement: Confinement;
  readonly path: string;
}

/**
 * Wire the rooms and serve until SIGTERM or SIGINT. Stops in the order intake, runs, journal. Throws AgentdError where a file is
 * broken, another daemon runs, or the database cannot be used.
 */
export async function runDaemon(options: DaemonOptions): Promise<ExitCode> {
  const launcher = startLauncher(options.nativeDir);
  const stop = stopSignal();
  const rooms = await openRooms(readConfiguration(options), options, launcher);
  try {
    await serve(rooms, stop);
    return 0;
  } finally {
    await closeRooms(rooms);
  }
}

/** Serve until `stop` says why to end; when it returns or throws, nobody is served any more. */
async function serve(rooms: Rooms, stop: Promise<string>): Promise<void> {
  const { config, log, journal, engine, models, confinement } = rooms;
  await recordStart(rooms);
  await engine.recover();
  const schedules = openSchedules({ ...rooms, log: logTo(log) });
  const server = await startServer({
    socketPath: config.places.socketPath,
    peerOf: confinement.peerOf,
    log,
    handlers: handlersOf(rooms, schedules),
  });
  log.info({ socket: config.places.socketPath, provider: models.default_provider }, "agentd ready");
  const reason = await stop;
  log.info({ reason }, "stopping");
  await server.close();
  await schedules.close();
  await engine.close(AbortSignal.timeout(STOP_GRACE_MS));
  await journal.append([{ kind: "daemon_stopped", actor: "daemon", reason }]);
}

/** Ends what outlives a request: without it a failed start would leave threads and processes that keep this one alive. */
async function closeRooms({ confinement, reader, journal }: Rooms): Promise<void> {
  await confinement.close();
  reader.close();
  await journal.close();
}

async function openRooms(
  config: Configuration,
  options: DaemonOptions,
  launcher: Launcher,
): Promise<Rooms> {
  const { places, settings, policy, catalog } = config;
  const log = pino({ name: "agentd", level: settings.log_level });
  const entropy = { now: Date.now, randomBytes };
  const journal = await openJournal({
    path: places.databaseFile,
    entropy,
    redact: makeRedactor(config.secrets),
    onHead: (head) => log.info({ audit_head: head }, "audit head"),
  });
  const reader = openReader(places.databaseFile);
  const models = openModels({
    file: config.providersFile,
    defaultSlots: settings.model_slots,
    credential: config.credential,
    sleep: (ms, signal) => sleep(ms, undefined, { signal }),
    random: Math.random,
    now: Date.now,
    ...networkOf(config),
  });
  const { nativeDir, programDir, path } = options;
  const confinement = await openConfinement({
    ...{ launcher, nativeDir, programDir, places, settings, policy, path },
  });
  const engine = openEngine({
    journal,
    reader,
    models,
    tools: BUILTIN_TOOLS,
    roles: () => catalog.roles,
    manifests: () => catalog.manifests,
    settings,
    policy,
    neverGrantable: neverGrantable(places),
    workspaceBase: places.workspaceDir,
    openPorts: confinement.openPorts,
    prepareWeb: confinement.prepareWeb,
    compile: confinement.compile,
    entropy,
    log: logTo(log),
  });
  return { config, log, journal, reader, models, engine, entropy, confinement, path };
}

function logTo(log: Logger): EngineDeps["log"] {
  return (level, message, fields = {}) => log[level](fields, message);
}

function handlersOf(rooms: Rooms, schedules: Schedules) {
  const { config, journal, reader, models, engine, confinement, path } = rooms;
  const { places, policy, catalog } = config;
  const startedAt = new Date().toISOString();
  return makeHandlers({
    engine,
    schedules,
    reader,
    subscribe: journal.subscribe,
    roles: () => catalog,
    manifests: () => ({
      manifests: [...catalog.manifests.values()].map(({ value, file, origin }) => ({
        ...{ manifest: value.manifest, file, origin },
      })),
      problems: catalog.problems,
    }),
    explainRole: ({ role }, params) =>
      explainRole(role, params, {
        policy,
        never: neverGrantable(places),
        workspaceDir: places.workspaceDir,
      }),
    toolSpecs: BUILTIN_TOOLS.map(toolSpec),
    status: () => ({
      version: VERSION,
      pid: process.pid,
      started_at: startedAt,
      default_provider: models.default_provider,
      runs_active: reader.runs({ all: false }).length,
      agents_active: reader.agents({ all: false }).length,
      confinement: [...confinement.layers()],
    }),
    doctor: async (signal) => [
      ...(await diagnose(
        { ...config, landlockAbi: confinement.landlockAbi, path, network: networkOf(config) },
        signal,
      )),
      ...(await confinement.prove()),
    ],
    verify: (signal) => verifyOffLoop(places.databaseFile, [], signal),
  });
}

/** How the daemon itself reaches model APIs. */
function networkOf({ settings }: Configuration): NetworkOptions {
  return settings.proxy === undefined ? {} : { proxy: settings.proxy };
}

async function recordStart({ config, journal, log, confinement }: Rooms): Promise<void> {
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

/** The first signal that asks the daemon to end. */
function stopSignal(): Promise<string> {
  return new Promise((resolve) => {
    for (const name of ["SIGTERM", "SIGINT"] as const) process.once(name, () => resolve(name));
  });
}
