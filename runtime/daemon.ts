import { randomBytes } from "node:crypto";
import { mkdirSync, realpathSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import pino from "pino";
import { openJournal } from "./audit/journal.js";
import { makeRedactor } from "./audit/redact.js";
import { verifyOffLoop } from "./audit/verify-off-loop.js";
import type { Entropy } from "./base/ulid.js";
import { explainRole } from "./catalog/explain-role.js";
import { loadRoles } from "./catalog/roles.js";
import { readPolicy, readProviders, readSettings } from "./catalog/settings.js";
import { makeHandlers } from "./control/handlers.js";
import { startServer } from "./control/server.js";
import { type CredentialSources, readCredential } from "./credentials.js";
import { diagnose } from "./doctor.js";
import type { ExitCode } from "./protocol/error-code.js";
import type { Places } from "./protocol/places.js";
import { openModels } from "./providers/directory.js";
import { failInterrupted } from "./runs/fail-interrupted.js";
import { openEngine } from "./runs/open-engine.js";
import { openPorts } from "./sandbox/open-ports.js";
import { openReader } from "./store/open-reader.js";
import { BUILTIN_TOOLS, toolSpec } from "./tools/registry.js";
import { VERSION } from "./version.js";

/** How long a stopping daemon waits for its runs to end, in ms. */
const STOP_GRACE_MS = 5_000;

export interface DaemonOptions {
  readonly places: Places;
  readonly credentialsDirectory: string | undefined;
  readonly keys: CredentialSources["keys"];
  /** Where programs are looked up. */
  readonly path: string;
}

/**
 * Wire the rooms and serve until SIGTERM or SIGINT. Stops in the order intake, runs, journal. Throws AgentdError where a file is
 * broken, another daemon runs, or the database cannot be used.
 */
export async function runDaemon(options: DaemonOptions): Promise<ExitCode> {
  const stop = stopSignal();
  const places = resolvedPlaces(options.places);
  const settings = readSettings(places.settingsFile);
  const policy = readPolicy(places.policyFile);
  const providersFile = readProviders(places.providersFile);
  const log = pino({ name: "agentd", level: settings.log_level });
  const credential = (name: string) =>
    readCredential(name, { ...options, credentialsDir: places.credentialsDir });
  const entropy: Entropy = { now: Date.now, randomBytes };
  const secrets = secretNames(providersFile).flatMap((name) => credential(name) ?? []);

  const journal = await openJournal({
    path: places.databaseFile,
    entropy,
    redact: makeRedactor(secrets),
    onHead: (head) => log.info({ audit_head: head }, "audit head"),
  });
  const reader = openReader(places.databaseFile);
  const catalog = loadRoles([
    { dir: places.vendorRolesDir, origin: "vendor" },
    { dir: places.operatorRolesDir, origin: "operator" },
  ]);
  const models = openModels({
    file: providersFile,
    defaultSlots: settings.model_slots,
    credential,
    sleep: (ms, signal) => sleep(ms, undefined, { signal }),
    random: Math.random,
    now: Date.now,
    ...(settings.proxy === undefined ? {} : { proxy: settings.proxy }),
  });
  const never = neverGrantable(places);
  const engine = openEngine({
    journal,
    models,
    tools: BUILTIN_TOOLS,
    roles: () => catalog.roles,
    settings,
    policy,
    neverGrantable: never,
    workspaceBase: places.workspaceDir,
    openPorts: async ({ workspace, judgeAddress }) => ({
      ...openPorts({
        home: workspace,
        tmp: workspace,
        path: options.path,
        judgeAddress: (host, port, address) => judgeAddress({ host, port, address }),
        ca_files: settings.ca_files,
        ...(settings.proxy === undefined ? {} : { proxy: settings.proxy }),
      }),
      confinement: [],
      close: async () => undefined,
    }),
    entropy,
    log: (level, message, fields = {}) => log[level](fields, message),
  });
  await failInterrupted(journal, reader);
  const startedAt = new Date();
  const server = await startServer({
    socketPath: places.socketPath,
    peerOf: () => ({ uid: null }),
    log,
    handlers: makeHandlers({
      engine,
      reader,
      subscribe: journal.subscribe,
      roles: () => ({ roles: catalog.roles, problems: catalog.problems }),
      explainRole: ({ role }, params) =>
        explainRole(role, params, { policy, never, workspaceDir: places.workspaceDir }),
      toolSpecs: BUILTIN_TOOLS.map(toolSpec),
      status: () => ({
        version: VERSION,
        pid: process.pid,
        started_at: startedAt.toISOString(),
        default_provider: models.default_provider,
        runs_active: reader.runs({ all: false }).length,
        agents_active: reader.agents({ all: false }).length,
        confinement: [],
      }),
      doctor: async () =>
        diagnose({ places, models, catalog, providersFile, credential, path: options.path }),
      verify: (signal) => verifyOffLoop(places.databaseFile, [], signal),
    }),
  });
  await journal.append([
    {
      kind: "daemon_started",
      actor: "daemon",
      version: VERSION,
      pid: process.pid,
      confinement: [],
    },
    ...catalog.problems.map(({ file, line, message }) => ({
      kind: "catalog_entry_disabled" as const,
      actor: "daemon",
      file,
      line,
      problem: message,
    })),
  ]);
  for (const problem of catalog.problems) log.warn(problem, "a role disabled itself");
  log.warn("nothing is confined yet: tools run in the daemon behind the capability check alone");
  log.info({ socket: places.socketPath, provider: models.default_provider }, "agentd ready");

  const reason = await stop;
  log.info({ reason }, "stopping");
  await server.close();
  await engine.close(AbortSignal.timeout(STOP_GRACE_MS));
  await journal.append([{ kind: "daemon_stopped", actor: "daemon", reason }]);
  reader.close();
  await journal.close();
  return 0;
}

/** The first signal that asks the daemon to end. */
function stopSignal(): Promise<string> {
  return new Promise((resolve) => {
    for (const name of ["SIGTERM", "SIGINT"] as const) process.once(name, () => resolve(name));
  });
}

/** The state's folders, made where missing and free of links, so that a path below them is what it seems. */
function resolvedPlaces(places: Places): Places {
  for (const dir of [places.stateDir, places.workspaceDir, places.runtimeDir]) {
    mkdirSync(dir, { recursive: true, mode: 0o750 });
  }
  return { ...places, workspaceDir: realpathSync(places.workspaceDir) };
}

function neverGrantable(places: Places): readonly string[] {
  return [
    places.configDir,
    places.credentialsDir,
    places.stateDir,
    places.runtimeDir,
    "/mnt/data",
    "/boot",
    "/proc",
    "/sys",
    "/run",
  ];
}

function secretNames(file: ReturnType<typeof readProviders>): readonly string[] {
  const named = Object.values(file.providers).flatMap((entry) =>
    "credential" in entry && entry.credential !== undefined ? [entry.credential] : [],
  );
  return [...new Set([...named, "deepseek", "anthropic", "openai"])];
}
