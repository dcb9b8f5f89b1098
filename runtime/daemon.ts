import { setTimeout as sleep } from "node:timers/promises";
import { startLauncher } from "./confinement.js";
import { openGate } from "./control/access.js";
import { openApi } from "./control/api.js";
import { makeHandlers } from "./control/handlers.js";
import { startServer } from "./control/server.js";
import { visibleTo } from "./control/visible.js";
import { controlDeps } from "./control-deps.js";
import { keepTold, statusText } from "./keep-told.js";
import { openLiveConfiguration } from "./live-configuration.js";
import { openMcpServer } from "./mcp-server.js";
import { openNotices } from "./notify.js";
import { AgentdError } from "./protocol/agentd-error.js";
import type { Caller } from "./protocol/caller.js";
import type { ExitCode } from "./protocol/error-code.js";
import { closeRooms, type DaemonOptions, logTo, openRooms, type Rooms } from "./rooms.js";
import { openDiskWatch } from "./runs/disk-watch.js";
import { openRetention } from "./runs/retention/open-retention.js";
import { openSchedules } from "./runs/schedules.js";
import { type Hangups, hearHangups, stopSignal } from "./signals.js";
import { openTelemetry } from "./telemetry.js";
import { VERSION } from "./version.js";

/**
 * systemd gives a daemon up that fails five times in a minute. One that finds the disk full at its start ends later, so that it is started
 * again and again until there is room. In ms.
 */
const FULL_DISK_WAIT_MS = 15_000;
/** How long a stopping daemon waits for tool calls under way, in ms. */
const STOP_GRACE_MS = 5_000;

/**
 * Wire the rooms and serve until SIGTERM or SIGINT; SIGHUP has the operator's files read again. Stops in the order intake, runs, journal. Throws AgentdError where a file is
 * broken, another daemon runs, or the database cannot be used.
 */
export async function runDaemon(options: DaemonOptions): Promise<ExitCode> {
  const launcher = startLauncher(options.nativeDir);
  const signals = { stop: stopSignal(), hangups: hearHangups() };
  try {
    const rooms = await openRooms(openLiveConfiguration(options), options, launcher);
    try {
      await serve(rooms, signals);
      return 0;
    } finally {
      await closeRooms(rooms);
    }
  } catch (thrown) {
    const isFull = thrown instanceof AgentdError && thrown.code === "disk_full";
    if (isFull) await Promise.race([signals.stop, sleep(FULL_DISK_WAIT_MS)]);
    throw thrown;
  }
}

interface Signals {
  readonly stop: Promise<string>;
  readonly hangups: Hangups;
}

/** Serve until `stop` says why to end; when it returns or throws, nobody is served any more. */
async function serve(rooms: Rooms, { stop, hangups }: Signals): Promise<void> {
  const { config, log, journal, engine, models, confinement, manager } = rooms;
  await recordStart(rooms);
  await using _notices = openNotices(rooms);
  await engine.recover();
  await using _disk = await watchDisk(rooms);
  await using _retention = retain(rooms);
  const schedules = openSchedules({ ...rooms, log: logTo(log) });
  const deps = controlDeps(rooms, schedules);
  const handlersFor = (caller: Caller) => makeHandlers(visibleTo(caller, deps));
  const gate = openGate((event) => journal.append([event]));
  const { peerOf } = confinement;
  const { socketPath } = config.places;
  const server = await startServer({ socketPath, peerOf, log, handlersFor, gate });
  const telemetry = await openTelemetry(config.settings.telemetry, journal, log);
  const endpoints = await openMcpServer(rooms, deps.metrics, openApi({ handlersFor, gate }));
  log.info({ socket: config.places.socketPath, provider: models.default_provider }, "agentd ready");
  manager.ready(statusText(rooms));
  const untilThen = keepTold(rooms, hangups);
  const reason = await stop;
  log.info({ reason }, "stopping");
  await endpoints?.close();
  manager.stopping(`stopping: ${reason}`);
  untilThen[Symbol.dispose]();
  await server.close();
  await schedules.close();
  await engine.close(AbortSignal.timeout(STOP_GRACE_MS));
  await journal.append([{ kind: "daemon_stopped", actor: "daemon", reason }]);
  await telemetry.close();
}

function watchDisk({ config, engine, log }: Rooms): Promise<AsyncDisposable> {
  const { places, settings } = config;
  return openDiskWatch({
    dirs: [places.stateDir],
    lowWaterBytes: settings.disk.low_water_mb * 1_048_576,
    everyMs: settings.disk.check_s * 1_000,
    engine,
    log: logTo(log),
  });
}

function retain({ config, engineDeps }: Rooms): AsyncDisposable {
  return openRetention({ ...engineDeps, exportsDir: config.places.exportsDir });
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
