import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import pino, { type Logger } from "pino";
import { type Journal, openJournal } from "./audit/journal.js";
import { makeRedactor } from "./audit/redact.js";
import { entryOf, headEntry } from "./audit-to-journal.js";
import type { Entropy } from "./base/ulid.js";
import type { Configuration, ConfigurationSources } from "./configuration.js";
import { type Confinement, type Launcher, openConfinement } from "./confinement.js";
import { daemonMemory } from "./embeddings.js";
import { derived, type LiveConfiguration } from "./live-configuration.js";
import { modelsOf } from "./live-models.js";
import { tellOfServers } from "./mcp-reports.js";
import type { Memory } from "./memory/memory.js";
import { neverGrantable } from "./protocol/places.js";
import type { ModelDirectory } from "./providers/models.js";
import type { EngineDeps } from "./runs/deps.js";
import type { RunEngine } from "./runs/engine.js";
import { openEngine } from "./runs/open-engine.js";
import { delegatedCgroup } from "./sandbox/delegated-cgroup.js";
import { endLeftovers } from "./sandbox/leftovers.js";
import {
  type NotifyEnvironment,
  openServiceManager,
  type ServiceManager,
} from "./service-manager.js";
import { openReader } from "./store/open-reader.js";
import type { StoreReader } from "./store/reader.js";
import { openSystemJournal, type SystemJournal } from "./system-journal.js";
import { type McpServers, openMcpServers } from "./tools/mcp/servers.js";
import { BUILTIN_TOOLS } from "./tools/registry.js";
import { VERSION } from "./version.js";

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
export interface Rooms {
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

/** Ends what outlives a request: without it a failed start would leave threads and processes that keep this one alive. */
export async function closeRooms(rooms: Rooms): Promise<void> {
  const { servers, confinement, memory, reader, journal, manager, systemJournal } = rooms;
  await servers.close();
  await memory.close();
  await confinement.close();
  reader.close();
  await journal.close();
  systemJournal?.close();
  manager.close();
}

/** Opens everything that the daemon is made of, in order. Throws AgentdError. */
export async function openRooms(
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
  journal.subscribe((events) => {
    for (const event of events) systemJournal?.write(entryOf(event));
  });
  const leftIn = delegatedCgroup()?.parent ?? null;
  await endLeftovers(places.stateDir, launcher.ok ? launcher.spawner.pid : null, leftIn);
  const models = modelsOf(config);
  const { nativeDir, programDir, path } = options;
  const confinement = await openConfinement({
    ...{ launcher, nativeDir, programDir, places, settings, policy: config.policy, path },
  });
  const reader = openReader(places.databaseFile);
  const memory = daemonMemory({
    ...{ journal, reader, entropy, config, confinement, programDir },
    log: logTo(log),
  });
  let servers: McpServers | undefined;
  const { launchServer: launch, relay } = confinement;
  const engineDeps: EngineDeps = {
    journal,
    reader,
    models,
    tools: () => [...BUILTIN_TOOLS, ...(servers?.tools() ?? [])],
    memory,
    roles: () => config.catalog.roles,
    manifests: () => config.catalog.manifests,
    skills: () => config.catalog.skills,
    settings,
    get policy() {
      return config.policy;
    },
    neverGrantable: neverGrantable(places),
    workspaceBase: places.workspaceDir,
    openPorts: confinement.openPorts,
    prepareWeb: confinement.prepareWeb,
    compile: confinement.compile,
    servers: { launch, relay, credential: config.credential },
    entropy,
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

export function logTo(log: Logger): EngineDeps["log"] {
  return (level, message, fields = {}) => log[level](fields, message);
}
