import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import pino, { type Logger } from "pino";
import { type Journal, openJournal } from "./audit/journal.js";
import { makeRedactor } from "./audit/redact.js";
import { verifyOffLoop } from "./audit/verify-off-loop.js";
import { entryOf, headEntry } from "./audit-to-journal.js";
import type { Entropy } from "./base/ulid.js";
import { explainRole } from "./catalog/explain-role.js";
import type { Configuration, ConfigurationSources } from "./configuration.js";
import { type Confinement, type Launcher, openConfinement, startLauncher } from "./confinement.js";
import { openGate } from "./control/access.js";
import { openApi } from "./control/api.js";
import type { ControlDeps } from "./control/deps.js";
import { makeHandlers } from "./control/handlers.js";
import { openMetrics } from "./control/metrics.js";
import { startServer } from "./control/server.js";
import { visibleTo } from "./control/visible.js";
import { diagnose } from "./doctor.js";
import { chooseEmbedder } from "./embeddings.js";
import { keepTold, statusText } from "./keep-told.js";
import { derived, type LiveConfiguration, openLiveConfiguration } from "./live-configuration.js";
import { modelsOf, networkOf } from "./live-models.js";
import { logTo } from "./log-to.js";
import { mcpChecks, tellOfServers } from "./mcp-reports.js";
import { openMcpServer } from "./mcp-server.js";
import type { Memory } from "./memory/memory.js";
import { openMemory } from "./memory/open-memory.js";
import { memoryCheck } from "./memory-check.js";
import type { Caller } from "./protocol/caller.js";
import type { ExitCode } from "./protocol/error-code.js";
import { neverGrantable } from "./protocol/places.js";
import type { ModelDirectory } from "./providers/models.js";
import type { EngineDeps } from "./runs/deps.js";
import type { RunEngine } from "./runs/engine.js";
import { openEngine } from "./runs/open-engine.js";
import { openSchedules, type Schedules } from "./runs/schedules.js";
import { selftests } from "./selftest.js";
import {
  type NotifyEnvironment,
  openServiceManager,
  type ServiceManager,
} from "./service-manager.js";
import { openReader } from "./store/open-reader.js";
import type { StoreReader } from "./store/reader.js";
import { openSystemJournal, type SystemJournal } from "./system-journal.js";
import { type McpServers, openMcpServers } from "./tools/mcp/servers.js";
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
  /** The service manager that started us, if one did. */
  readonly notify: NotifyEnvironment;
  /** True where the system's journal takes our output: then the audit trail is told there, too. */
  readonly underJournal: boolean;
}

/** What lives as long as the daemon. */
interface Rooms {
  readonly live: LiveConfiguration;
  readonly config: Configuration;
  readonly manager: ServiceManager;
  readonly systemJournal: SystemJournal | undefined;
  readonly log: Logger;
  readonly journal: Journal;
  readonly reader: StoreReader;
  readonly models: ModelDirectory;
  readonly engineDeps: EngineDeps;
  readonly engine: RunEngine;
  readonly servers: McpServers;
  readonly entropy: Entropy;
  readonly confinement: Confinement;
  readonly memory: Memory;
  readonly path: string;
}

/**
 * Wire the rooms and serve until SIGTERM or SIGINT; SIGHUP has the operator's files read again. Stops in the order intake, runs, journal. Throws AgentdError where a file is
 * broken, another daemon runs, or the database cannot be used.
 */
export async function runDaemon(options: DaemonOptions): Promise<ExitCode> {
  const launcher = startLauncher(options.nativeDir);
  const stop = stopSignal();
  const rooms = await openRooms(openLiveConfiguration(options), options, launcher);
  try {
    await serve(rooms, stop);
    return 0;
  } finally {
    await closeRooms(rooms);
  }
}

/** Serve until `stop` says why to end; when it returns or throws, nobody is served any more. */
async function serve(rooms: Rooms, stop: Promise<string>): Promise<void> {
  const { config, log, journal, engine, models, confinement, manager } = rooms;
  await recordStart(rooms);
  await engine.recover();
  const schedules = openSchedules({ ...rooms, log: logTo(log) });
  const deps = controlDeps(rooms, schedules);
  const handlersFor = (caller: Caller) => makeHandlers(visibleTo(caller, deps));
  const gate = openGate((event) => journal.append([event]));
  const { peerOf } = confinement;
  const { socketPath } = config.places;
  const server = await startServer({ socketPath, peerOf, log, handlersFor, gate });
  const endpoints = await openMcpServer(rooms, deps.metrics, openApi({ handlersFor, gate }));
  log.info({ socket: config.places.socketPath, provider: models.default_provider }, "agentd ready");
  manager.ready(statusText(rooms));
  const untilThen = keepTold(rooms);
  const reason = await stop;
  log.info({ reason }, "stopping");
  await endpoints?.close();
  manager.stopping(`stopping: ${reason}`);
  untilThen[Symbol.dispose]();
  await server.close();
  await schedules.close();
  await engine.close(AbortSignal.timeout(STOP_GRACE_MS));
  await journal.append([{ kind: "daemon_stopped", actor: "daemon", reason }]);
}

/** Ends what outlives a request: without it a failed start would leave threads and processes that keep this one alive. */
async function closeRooms(rooms: Rooms): Promise<void> {
  const { servers, confinement, memory, reader, journal, manager, systemJournal } = rooms;
  await servers.close();
  await memory.close();
  await confinement.close();
  reader.close();
  await journal.close();
  systemJournal?.close();
  manager.close();
}

async function openRooms(
  live: LiveConfiguration,
  options: DaemonOptions,
  launcher: Launcher,
): Promise<Rooms> {
  const { config } = live;
  const { places, settings } = config;
  const log = pino({ name: "agentd", level: settings.log_level });
  const entropy = { now: Date.now, randomBytes };
  const { manager, systemJournal } = outside(options, launcher);
  const redactor = derived(() => config.secrets, makeRedactor);
  const journal = await openJournal({
    path: places.databaseFile,
    entropy,
    redact: (text) => redactor()(text),
    onHead: (head) => {
      if (systemJournal === undefined) log.info({ audit_head: head }, "audit head");
      else systemJournal.write(headEntry(head));
    },
  });
  if (systemJournal !== undefined)
    journal.subscribe((events) => {
      for (const event of events) systemJournal.write(entryOf(event));
    });
  const models = modelsOf(config);
  const { nativeDir, programDir, path } = options;
  const confinement = await openConfinement({
    ...{ launcher, nativeDir, programDir, places, settings, policy: config.policy, path },
  });
  const reader = openReader(places.databaseFile);
  const memory = openMemory({
    ...{ journal, reader, entropy, log: logTo(log) },
    database: places.databaseFile,
    index: places.memoryIndexFile,
    embedder: chooseEmbedder(
      { file: config.providersFile, credential: config.credential, ...networkOf(config) },
      confinement,
      programDir,
    ),
    retentionDays: settings.memory.retention_days,
  });
  let servers: McpServers | undefined;
  const engineDeps: EngineDeps = {
    ...{ journal, reader, models, memory, settings, entropy },
    tools: () => [...BUILTIN_TOOLS, ...(servers?.tools() ?? [])],
    roles: () => config.catalog.roles,
    manifests: () => config.catalog.manifests,
    get policy() {
      return config.policy;
    },
    neverGrantable: neverGrantable(places),
    workspaceBase: places.workspaceDir,
    openPorts: confinement.openPorts,
    prepareWeb: confinement.prepareWeb,
    compile: confinement.compile,
    servers: {
      launch: confinement.launchServer,
      relay: confinement.relay,
      credential: config.credential,
    },
    log: logTo(log),
  };
  const engine = openEngine(engineDeps);
  servers = openMcpServers(config.mcp, {
    launch: engine.launchServer,
    version: VERSION,
    ...tellOfServers(journal, log),
    sleep: (ms, signal) => sleep(ms, undefined, { signal }),
  });
  return {
    ...{ live, config, manager, systemJournal, log, journal, reader, models },
    ...{ engineDeps, engine, servers, entropy, confinement, memory, path },
  };
}

/** The service manager and the journal of the system, where there are such. */
function outside({ notify, underJournal }: DaemonOptions, { addon }: Launcher) {
  const send = addon?.sendDatagram ?? (() => true);
  const { pid, hrtime } = process;
  return {
    manager: openServiceManager({
      environment: notify,
      ...{ pid, send, monotonicNs: () => hrtime.bigint() },
    }),
    systemJournal: underJournal ? openSystemJournal(send) : undefined,
  };
}

function controlDeps(rooms: Rooms, schedules: Schedules): ControlDeps {
  const { config, journal, reader, models, engineDeps, engine, servers, confinement, path } = rooms;
  const { places } = config;
  const startedAt = new Date().toISOString();
  const metrics = openMetrics(reader, VERSION);
  journal.subscribe(metrics.count);
  return {
    metrics,
    engine,
    schedules,
    reader,
    subscribe: journal.subscribe,
    memory: rooms.memory,
    roles: () => config.catalog,
    manifests: () => config.catalog.manifests,
    explainRole: ({ role }, params) =>
      explainRole(role, params, {
        policy: config.policy,
        never: neverGrantable(places),
        workspaceDir: places.workspaceDir,
      }),
    toolSpecs: () => [...BUILTIN_TOOLS, ...servers.tools()].map(toolSpec),
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
      memoryCheck(await rooms.memory.status()),
      ...mcpChecks(servers.status()),
      ...(await confinement.prove()),
    ],
    selftest: selftests({ ...rooms, places, engine: engineDeps }),
    verify: (signal) => verifyOffLoop(places.databaseFile, [], signal),
  };
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
